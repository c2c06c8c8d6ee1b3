ALTER TABLE `sessions` ADD `first_generation` integer;--> statement-breakpoint
ALTER TABLE `sessions` ADD `settled_generation` integer;