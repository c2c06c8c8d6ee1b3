ALTER TABLE `emails` ADD `batch_id` text;--> statement-breakpoint
ALTER TABLE `emails` ADD `batch_place` integer;--> statement-breakpoint
CREATE INDEX `emails_batch` ON `emails` (`batch_id`) WHERE batch_id IS NOT NULL AND status IN ('queued', 'sending');