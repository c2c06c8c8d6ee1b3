CREATE TABLE `email_changes` (
	`user_id` blob PRIMARY KEY NOT NULL,
	`link_id` blob NOT NULL,
	`new_email` text NOT NULL,
	`old_email` text NOT NULL,
	`factors_id` blob,
	`expires_at` integer NOT NULL,
	`applied_at` integer,
	`revert_until` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `email_changes_old` ON `email_changes` (`old_email`);--> statement-breakpoint
CREATE TABLE `passkeys` (
	`id` blob PRIMARY KEY NOT NULL,
	`user_id` blob NOT NULL,
	`credential_id` blob NOT NULL,
	`public_key` blob NOT NULL,
	`algorithm` integer NOT NULL,
	`rp_id` text NOT NULL,
	`sign_count` integer NOT NULL,
	`backup_eligible` integer NOT NULL,
	`backed_up` integer NOT NULL,
	`transports` text NOT NULL,
	`aaguid` blob NOT NULL,
	`name` text NOT NULL,
	`binding` text NOT NULL,
	`used_challenges` text NOT NULL,
	`last_used_at` integer,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `passkeys_credential` ON `passkeys` (`credential_id`);--> statement-breakpoint
CREATE INDEX `passkeys_user` ON `passkeys` (`user_id`);--> statement-breakpoint
CREATE INDEX `passkeys_rp` ON `passkeys` (`rp_id`);--> statement-breakpoint
CREATE TABLE `recovery_codes` (
	`user_id` blob NOT NULL,
	`digest` text NOT NULL,
	PRIMARY KEY(`user_id`, `digest`),
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `totps` (
	`user_id` blob PRIMARY KEY NOT NULL,
	`secret` text NOT NULL,
	`last_step` integer NOT NULL,
	`created_at` integer NOT NULL,
	`last_used_at` integer,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action
) STRICT, WITHOUT ROWID;

