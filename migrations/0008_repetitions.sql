ALTER TABLE `sessions` ADD `network` text;--> statement-breakpoint
ALTER TABLE `sessions` ADD `repeated_generation` integer;--> statement-breakpoint
ALTER TABLE `sessions` ADD `last_repeat_at` integer;--> statement-breakpoint
ALTER TABLE `sessions` ADD `second_repeat_at` integer;--> statement-breakpoint
ALTER TABLE `sessions` ADD `third_repeat_at` integer;--> statement-breakpoint
ALTER TABLE `sessions` ADD `strayed_at` integer;--> statement-breakpoint
ALTER TABLE `sessions` ADD `strayed_generation` integer;--> statement-breakpoint
ALTER TABLE `sessions` ADD `strayed_network` text;