CREATE TABLE "backfill_partitions" (
	"backfill_id" text NOT NULL,
	"position" integer NOT NULL,
	"interval_start" timestamp (3) with time zone NOT NULL,
	"interval_end" timestamp (3) with time zone NOT NULL,
	"state" text NOT NULL,
	"reason" text,
	"round" integer DEFAULT 1 NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"rows" bigint,
	"bytes" bigint,
	"error" json,
	"started_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone,
	CONSTRAINT "backfill_partitions_backfill_id_position_pk" PRIMARY KEY("backfill_id","position")
);
--> statement-breakpoint
CREATE TABLE "backfills" (
	"backfill_id" text PRIMARY KEY NOT NULL,
	"tenant" text NOT NULL,
	"pipeline_id" text NOT NULL,
	"pipeline_name" text NOT NULL,
	"revision" integer NOT NULL,
	"workflow_id" text NOT NULL,
	"run_id" text,
	"range_start" timestamp (3) with time zone NOT NULL,
	"range_end" timestamp (3) with time zone NOT NULL,
	"size" text NOT NULL,
	"timezone" text NOT NULL,
	"concurrency" integer NOT NULL,
	"partition_order" text NOT NULL,
	"reprocess" text NOT NULL,
	"on_failure" text NOT NULL,
	"partitions" integer NOT NULL,
	"planned" integer DEFAULT 0 NOT NULL,
	"round" integer DEFAULT 1 NOT NULL,
	"control" text NOT NULL,
	"status" text NOT NULL,
	"reason" text,
	"request_id" text NOT NULL,
	"submitted_by" text NOT NULL,
	"submitted_at" timestamp (3) with time zone NOT NULL,
	"started_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "partition_outcomes" (
	"pipeline_id" text NOT NULL,
	"interval_start" timestamp (3) with time zone NOT NULL,
	"interval_end" timestamp (3) with time zone NOT NULL,
	"outcome" text NOT NULL,
	"backfill_id" text NOT NULL,
	"finished_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "partition_outcomes_pipeline_id_interval_start_interval_end_pk" PRIMARY KEY("pipeline_id","interval_start","interval_end")
);
--> statement-breakpoint
CREATE INDEX "backfill_partitions_state" ON "backfill_partitions" USING btree ("backfill_id","state","position");--> statement-breakpoint
CREATE UNIQUE INDEX "backfills_workflow" ON "backfills" USING btree ("workflow_id");--> statement-breakpoint
CREATE INDEX "backfills_of_pipeline" ON "backfills" USING btree ("pipeline_id","submitted_at");--> statement-breakpoint
CREATE INDEX "backfills_open" ON "backfills" USING btree ("backfill_id") WHERE status = 'RUNNING';--> statement-breakpoint
CREATE INDEX "backfills_finished" ON "backfills" USING btree ("finished_at");