CREATE TABLE `attempt_counters` (
	`key` text PRIMARY KEY NOT NULL,
	`count` integer NOT NULL,
	`allowed_at` integer NOT NULL,
	`updated_at` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
DROP INDEX `emails_recipient`;--> statement-breakpoint
ALTER TABLE `emails` ADD `budget` text;--> statement-breakpoint
CREATE INDEX `emails_recipient` ON `emails` (`recipient`,`id`);