ALTER TABLE `attempt_counters` ADD `used_tokens` text;--> statement-breakpoint
ALTER TABLE `users` ADD `trust_number` integer;