ALTER TABLE `emails` ADD `fate` text;--> statement-breakpoint
ALTER TABLE `emails` ADD `delivered_at` integer;--> statement-breakpoint
CREATE INDEX `emails_provider` ON `emails` (`provider_id`) WHERE provider_id IS NOT NULL;--> statement-breakpoint
ALTER TABLE `users` ADD `email_problem` text;