ALTER TABLE "backfill_partitions" ADD COLUMN "execution_id" text;--> statement-breakpoint
ALTER TABLE "backfills" ADD COLUMN "parameters" json DEFAULT '{}'::json NOT NULL;