CREATE TABLE "table_migration_steps" (
	"migration_id" text NOT NULL,
	"step" text NOT NULL,
	"activity" text NOT NULL,
	"position" integer,
	"place" integer NOT NULL,
	"status" text NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"attempt_token" text,
	"started_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone,
	"error" json,
	"result" json,
	CONSTRAINT "table_migration_steps_migration_id_step_pk" PRIMARY KEY("migration_id","step")
);
--> statement-breakpoint
CREATE TABLE "table_migrations" (
	"migration_id" text PRIMARY KEY NOT NULL,
	"tenant" text NOT NULL,
	"name" text NOT NULL,
	"document" json NOT NULL,
	"workflow_id" text NOT NULL,
	"run_id" text,
	"task" text NOT NULL,
	"round" integer DEFAULT 1 NOT NULL,
	"tables" text[] NOT NULL,
	"status" text NOT NULL,
	"decided_at" timestamp (3) with time zone,
	"reason" text,
	"cause" text,
	"result" json,
	"reopened_by" text,
	"request_id" text NOT NULL,
	"submitted_by" text NOT NULL,
	"submitted_at" timestamp (3) with time zone NOT NULL,
	"started_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone
);
--> statement-breakpoint
ALTER TABLE "gates" ADD COLUMN "migration_id" text;--> statement-breakpoint
CREATE UNIQUE INDEX "table_migrations_workflow" ON "table_migrations" USING btree ("workflow_id");--> statement-breakpoint
CREATE INDEX "table_migrations_listing" ON "table_migrations" USING btree ("tenant","submitted_at");--> statement-breakpoint
CREATE INDEX "table_migrations_open" ON "table_migrations" USING btree ("migration_id") WHERE status = 'RUNNING';--> statement-breakpoint
CREATE INDEX "table_migrations_finished" ON "table_migrations" USING btree ("finished_at");