ALTER TABLE `attempt_counters` ADD `in_flight` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `attempt_counters` ADD `series` text DEFAULT '' NOT NULL;