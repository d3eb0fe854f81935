CREATE TABLE "maintenance_runs" (
	"maintenance_id" text PRIMARY KEY NOT NULL,
	"tenant" text NOT NULL,
	"table_name" text NOT NULL,
	"engine" text NOT NULL,
	"plan" json NOT NULL,
	"workflow_id" text NOT NULL,
	"run_id" text,
	"cancel_requested" boolean DEFAULT false NOT NULL,
	"status" text NOT NULL,
	"reason" text,
	"steps" json NOT NULL,
	"request_id" text NOT NULL,
	"submitted_by" text NOT NULL,
	"submitted_at" timestamp (3) with time zone NOT NULL,
	"started_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE UNIQUE INDEX "maintenance_runs_workflow" ON "maintenance_runs" USING btree ("workflow_id");--> statement-breakpoint
CREATE UNIQUE INDEX "maintenance_runs_open" ON "maintenance_runs" USING btree ("table_name") WHERE status = 'RUNNING';--> statement-breakpoint
CREATE INDEX "maintenance_runs_of_tenant" ON "maintenance_runs" USING btree ("tenant","submitted_at");--> statement-breakpoint
CREATE INDEX "maintenance_runs_finished" ON "maintenance_runs" USING btree ("finished_at");