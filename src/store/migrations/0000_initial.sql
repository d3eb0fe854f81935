CREATE TABLE "audit_log" (
	"entry" bigserial PRIMARY KEY NOT NULL,
	"tenant" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"actor" text NOT NULL,
	"action" text NOT NULL,
	"subject" text NOT NULL,
	"details" json NOT NULL,
	"request_id" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "gate_answers" (
	"execution_id" text PRIMARY KEY NOT NULL,
	"answer_id" text NOT NULL,
	"kind" text NOT NULL,
	"answered_by" text NOT NULL,
	"comment" text,
	"answered_at" timestamp (3) with time zone NOT NULL,
	"delivered_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "gates" (
	"execution_id" text PRIMARY KEY NOT NULL,
	"tenant" text NOT NULL,
	"workflow_id" text NOT NULL,
	"opened_at" timestamp (3) with time zone NOT NULL,
	"deadline_at" timestamp (3) with time zone NOT NULL,
	"approvers" text[] DEFAULT '{}' NOT NULL
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"tenant" text NOT NULL,
	"method" text NOT NULL,
	"path" text NOT NULL,
	"key" text NOT NULL,
	"body_sha256" text NOT NULL,
	"reserved_id" text NOT NULL,
	"owner" text NOT NULL,
	"lease_until" timestamp (3) with time zone NOT NULL,
	"response_status" integer,
	"response_body" json,
	"created_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "idempotency_keys_tenant_method_path_key_pk" PRIMARY KEY("tenant","method","path","key")
);
--> statement-breakpoint
CREATE TABLE "pipeline_revisions" (
	"pipeline_id" text NOT NULL,
	"revision" integer NOT NULL,
	"version" text NOT NULL,
	"document" json NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"created_by" text NOT NULL,
	CONSTRAINT "pipeline_revisions_pipeline_id_revision_pk" PRIMARY KEY("pipeline_id","revision")
);
--> statement-breakpoint
CREATE TABLE "pipelines" (
	"pipeline_id" text PRIMARY KEY NOT NULL,
	"tenant" text NOT NULL,
	"name" text NOT NULL,
	"revision" integer NOT NULL,
	"enabled" boolean DEFAULT true NOT NULL,
	"tags" text[] DEFAULT '{}' NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"deleted_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "quality_reports" (
	"execution_id" text PRIMARY KEY NOT NULL,
	"score" double precision NOT NULL,
	"report" json NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "run_steps" (
	"execution_id" text NOT NULL,
	"step" text NOT NULL,
	"activity" text NOT NULL,
	"position" integer NOT NULL,
	"status" text NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"attempt_token" text,
	"started_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone,
	"rows" bigint,
	"bytes" bigint,
	"error" json,
	"external_url" text,
	"result" json,
	"reused_from" text,
	CONSTRAINT "run_steps_execution_id_step_pk" PRIMARY KEY("execution_id","step")
);
--> statement-breakpoint
CREATE TABLE "runs" (
	"execution_id" text PRIMARY KEY NOT NULL,
	"tenant" text NOT NULL,
	"pipeline_id" text NOT NULL,
	"pipeline_name" text NOT NULL,
	"revision" integer NOT NULL,
	"tags" text[] DEFAULT '{}' NOT NULL,
	"workflow_id" text NOT NULL,
	"run_id" text,
	"root_execution_id" text NOT NULL,
	"retry_of" text,
	"trigger" text NOT NULL,
	"engine" text NOT NULL,
	"priority" text NOT NULL,
	"parameters" json NOT NULL,
	"interval_start" timestamp (3) with time zone,
	"interval_end" timestamp (3) with time zone,
	"input" json NOT NULL,
	"status" text NOT NULL,
	"slot" text,
	"max_runs" integer,
	"reason" text,
	"rows_processed" bigint DEFAULT 0 NOT NULL,
	"bytes_processed" bigint DEFAULT 0 NOT NULL,
	"result" json,
	"error" json,
	"request_id" text NOT NULL,
	"submitted_by" text NOT NULL,
	"submitted_at" timestamp (3) with time zone NOT NULL,
	"started_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "step_logs" (
	"line" bigserial PRIMARY KEY NOT NULL,
	"execution_id" text NOT NULL,
	"step" text NOT NULL,
	"attempt" integer NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"level" text NOT NULL,
	"message" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "watermarks" (
	"pipeline_id" text NOT NULL,
	"source" text NOT NULL,
	"value" text NOT NULL,
	"execution_id" text NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "watermarks_pipeline_id_source_pk" PRIMARY KEY("pipeline_id","source")
);
--> statement-breakpoint
ALTER TABLE "gate_answers" ADD CONSTRAINT "gate_answers_execution_id_gates_execution_id_fk" FOREIGN KEY ("execution_id") REFERENCES "public"."gates"("execution_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "pipeline_revisions" ADD CONSTRAINT "pipeline_revisions_pipeline_id_pipelines_pipeline_id_fk" FOREIGN KEY ("pipeline_id") REFERENCES "public"."pipelines"("pipeline_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "audit_of_tenant" ON "audit_log" USING btree ("tenant","entry");--> statement-breakpoint
CREATE UNIQUE INDEX "gate_answers_id" ON "gate_answers" USING btree ("answer_id");--> statement-breakpoint
CREATE INDEX "gate_answers_undelivered" ON "gate_answers" USING btree ("answered_at") WHERE delivered_at is null;--> statement-breakpoint
CREATE INDEX "gates_deadline" ON "gates" USING btree ("deadline_at");--> statement-breakpoint
CREATE INDEX "idempotency_keys_created" ON "idempotency_keys" USING btree ("created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "pipelines_name" ON "pipelines" USING btree ("tenant","name") WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "pipelines_created" ON "pipelines" USING btree ("tenant","created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "runs_workflow" ON "runs" USING btree ("workflow_id");--> statement-breakpoint
CREATE INDEX "runs_listing" ON "runs" USING btree ("tenant","submitted_at");--> statement-breakpoint
CREATE INDEX "runs_of_pipeline" ON "runs" USING btree ("pipeline_id","submitted_at");--> statement-breakpoint
CREATE INDEX "runs_open" ON "runs" USING btree ("pipeline_id","submitted_at") WHERE status = 'RUNNING';--> statement-breakpoint
CREATE INDEX "runs_finished" ON "runs" USING btree ("finished_at");--> statement-breakpoint
CREATE UNIQUE INDEX "runs_one_open_per_root" ON "runs" USING btree ("root_execution_id") WHERE status = 'RUNNING';--> statement-breakpoint
CREATE INDEX "step_logs_of_step" ON "step_logs" USING btree ("execution_id","step","line");