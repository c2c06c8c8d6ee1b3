CREATE INDEX `emails_status` ON `emails` (`status`,`id`);--> statement-breakpoint
CREATE INDEX `emails_user` ON `emails` (`user_id`,`status`,`id`) WHERE user_id IS NOT NULL;