ALTER TABLE `email_changes` ADD `first_link_id` blob;--> statement-breakpoint
ALTER TABLE `email_changes` ADD `password_id` blob;--> statement-breakpoint
ALTER TABLE `users` ADD `email_changed_at` integer;