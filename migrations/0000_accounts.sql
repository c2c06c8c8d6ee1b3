CREATE TABLE `attempt_counters` (
	`key` text PRIMARY KEY NOT NULL,
	`count` integer NOT NULL,
	`allowed_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`in_flight` integer DEFAULT 0 NOT NULL,
	`series` text DEFAULT '' NOT NULL
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `audit_seals` (
	`number` integer PRIMARY KEY NOT NULL,
	`hour` integer NOT NULL,
	`digest` text NOT NULL,
	`kid` text NOT NULL,
	`first` integer NOT NULL
) STRICT;
--> statement-breakpoint
CREATE INDEX `audit_seals_hour` ON `audit_seals` (`hour`);--> statement-breakpoint
CREATE TABLE `audit_events` (
	`id` blob PRIMARY KEY NOT NULL,
	`type` integer NOT NULL,
	`user_id` blob,
	`by_user` integer NOT NULL,
	`actor_id` blob,
	`subject_id` blob,
	`ip` blob,
	`country` text,
	`user_agent_id` integer,
	`request_id` blob,
	`detail` text
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `audit_events_user` ON `audit_events` (`user_id`,`id`);--> statement-breakpoint
CREATE INDEX `audit_events_type` ON `audit_events` (`type`,`id`);--> statement-breakpoint
CREATE TABLE `ceilings` (
	`period` integer NOT NULL,
	`subject` blob NOT NULL,
	`count` integer NOT NULL,
	`last` blob NOT NULL,
	PRIMARY KEY(`period`, `subject`)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `emails` (
	`id` blob PRIMARY KEY NOT NULL,
	`template` text NOT NULL,
	`recipient` text NOT NULL,
	`user_id` blob,
	`budget` text NOT NULL,
	`params` text NOT NULL,
	`status` integer NOT NULL,
	`attempts` integer NOT NULL,
	`due_at` integer NOT NULL,
	`announce_at` integer NOT NULL,
	`in_doubt_since` integer,
	`linked_at` integer,
	`batch_id` blob,
	`batch_place` integer,
	`provider_id` text,
	`fate` integer,
	`delivered_at` integer,
	`last_error` text,
	`finished_at` integer
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `emails_recipient` ON `emails` (`recipient`,`id`) WHERE recipient <> '';--> statement-breakpoint
CREATE INDEX `emails_open` ON `emails` (`announce_at`,`batch_id`,`status`,`due_at`) WHERE status <= 1;--> statement-breakpoint
CREATE INDEX `emails_status` ON `emails` (`status`,`id`) WHERE status > 2;--> statement-breakpoint
CREATE INDEX `emails_user` ON `emails` (`user_id`,`id`) WHERE user_id IS NOT NULL;--> statement-breakpoint
CREATE TABLE `one_time_links` (
	`id` blob PRIMARY KEY NOT NULL,
	`purpose` integer NOT NULL,
	`user_id` blob NOT NULL,
	`registration_id` blob,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `one_time_links_user` ON `one_time_links` (`user_id`);--> statement-breakpoint
CREATE TABLE `registrations` (
	`id` blob PRIMARY KEY NOT NULL,
	`email` text NOT NULL,
	`password_hash` blob NOT NULL,
	`first_name` text,
	`last_name` text,
	`locale` text
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `registrations_email` ON `registrations` (`email`);--> statement-breakpoint
CREATE TABLE `sessions` (
	`id` blob PRIMARY KEY NOT NULL,
	`user_id` blob NOT NULL,
	`device_id` blob NOT NULL,
	`generation` integer NOT NULL,
	`last_used_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`first_generation` integer,
	`settled_generation` integer,
	`authenticated_at` integer,
	`amr` text,
	`ip` blob,
	`country` text,
	`user_agent_id` integer,
	`user_agent_digest` blob,
	`network` blob,
	`repeated_generation` integer,
	`last_repeat_at` integer,
	`second_repeat_at` integer,
	`third_repeat_at` integer,
	`strayed_at` integer,
	`strayed_generation` integer,
	`strayed_network` blob,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `sessions_user` ON `sessions` (`user_id`);--> statement-breakpoint
CREATE TABLE `sweeps` (
	`name` text PRIMARY KEY NOT NULL,
	`start` any NOT NULL,
	`stop` any
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `user_agents` (
	`id` integer PRIMARY KEY NOT NULL,
	`text` text NOT NULL,
	`seen_at` integer NOT NULL,
	`row_count` integer NOT NULL
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX `user_agents_text` ON `user_agents` (`text`);--> statement-breakpoint
CREATE TABLE `users` (
	`id` blob PRIMARY KEY NOT NULL,
	`email` text NOT NULL,
	`password_hash` blob,
	`password_id` blob,
	`role` integer NOT NULL,
	`status` integer NOT NULL,
	`first_name` text,
	`last_name` text,
	`avatar_url` text,
	`bio` text,
	`locale` text,
	`updated_at` integer NOT NULL,
	`activated_at` integer,
	`last_login_at` integer,
	`suspended_by_role` integer,
	`factors_id` blob,
	`email_problem` integer
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `users_email` ON `users` (`email`);--> statement-breakpoint
CREATE INDEX `users_role_status_id` ON `users` (`role`,`status`,`id`);--> statement-breakpoint
CREATE INDEX `users_role_status_email` ON `users` (`role`,`status`,`email`);