/** The retry table (spec section 2, "Timeouts and retries") and the queue that each activity is polled from. */
import type { Priority } from '@temporalio/common';
import type { ActivityOptions } from '@temporalio/workflow';
import { ActivityCancellationType } from '@temporalio/workflow';
import type { ActivityName } from '../schemas/definition.ts';
import type { ActivityPolicy, RunPlan } from './messages.ts';
import type { MigrationActivityName } from './migration-messages.ts';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

function policy(
  startToCloseMs: number,
  maximumAttempts: number,
  initialIntervalMs: number,
  maximumIntervalMs: number,
  backoffCoefficient: number,
): ActivityPolicy {
  return { startToCloseMs, maximumAttempts, initialIntervalMs, maximumIntervalMs, backoffCoefficient };
}

const EXTRACTION = policy(HOUR_MS, 3, 30 * SECOND_MS, 10 * MINUTE_MS, 2);
const QUALITY = policy(30 * MINUTE_MS, 2, 10 * SECOND_MS, 5 * MINUTE_MS, 2);
const TRANSFORMATION = policy(2 * HOUR_MS, 3, 60 * SECOND_MS, 15 * MINUTE_MS, 2);
const LOADING = policy(HOUR_MS, 3, 30 * SECOND_MS, 10 * MINUTE_MS, 2);
const NOTIFICATION = policy(5 * MINUTE_MS, 5, 5 * SECOND_MS, MINUTE_MS, 1.5);

const BACKUP = policy(HOUR_MS, 2, MINUTE_MS, 5 * MINUTE_MS, 2);
const EVERYTHING_ELSE = policy(10 * MINUTE_MS, 5, 10 * SECOND_MS, 5 * MINUTE_MS, 2);

/** Those that a pipeline may override, and those of migrations. */
type ScheduledActivity = ActivityName | MigrationActivityName;

const POLICIES: Record<ScheduledActivity, ActivityPolicy> = {
  extract_data: EXTRACTION,
  validate_quality: QUALITY,
  trigger_airflow_dag: TRANSFORMATION,
  run_spark_job: TRANSFORMATION,
  run_flink_statement: TRANSFORMATION,
  run_dbt: TRANSFORMATION,
  run_sql: TRANSFORMATION,
  load_to_iceberg: LOADING,
  load_to_postgres: LOADING,
  write_file: LOADING,
  process_partition: LOADING,
  notify_quality_issue: NOTIFICATION,
  notify_pipeline_completion: NOTIFICATION,
  notify_failure: NOTIFICATION,
  validate_migration: EVERYTHING_ELSE,
  create_backup: BACKUP,
  apply_migration: EVERYTHING_ELSE,
  validate_post_migration: EVERYTHING_ELSE,
  restore_backup: BACKUP,
  release_backup: EVERYTHING_ELSE,
};

const TASK_QUEUES: Record<ScheduledActivity, string> = {
  extract_data: 'extract',
  validate_quality: 'quality',
  trigger_airflow_dag: 'transform',
  run_spark_job: 'transform',
  run_flink_statement: 'transform',
  run_dbt: 'transform',
  run_sql: 'transform',
  load_to_iceberg: 'load',
  load_to_postgres: 'load',
  write_file: 'load',
  process_partition: 'backfill',
  notify_quality_issue: 'notify',
  notify_pipeline_completion: 'notify',
  notify_failure: 'notify',
  validate_migration: 'maintenance',
  create_backup: 'maintenance',
  apply_migration: 'maintenance',
  validate_post_migration: 'maintenance',
  restore_backup: 'maintenance',
  release_backup: 'maintenance',
};

type Place = Pick<RunPlan, 'priorityKey' | 'fairnessKey' | 'fairnessWeight'>;
type PolicyPlan = Pick<RunPlan, 'heartbeatTimeoutMs' | 'taskQueue'> &
  Place & {
    policies: Partial<Record<ScheduledActivity, Partial<ActivityPolicy>>>;
  };

/** Options of one activity: its row of the table with what is overridden. */
export function activityOptions(activity: ScheduledActivity, step: string, plan: PolicyPlan): ActivityOptions {
  const base = step.startsWith('extract:') ? EXTRACTION : POLICIES[activity];
  return {
    ...optionsOf({ ...base, ...plan.policies[activity] }, step, plan.heartbeatTimeoutMs),
    taskQueue: plan.taskQueue ?? TASK_QUEUES[activity],
    priority: priorityOf(plan),
  };
}

/** The place of what it does in the queues. */
export function priorityOf({ priorityKey, fairnessKey, fairnessWeight }: Place): Priority {
  return {
    priorityKey,
    ...(fairnessKey !== undefined && { fairnessKey }),
    ...(fairnessWeight !== undefined && { fairnessWeight }),
  };
}

/** Those of `compact_iceberg_table`, which is no step of a pipeline. */
export function maintenanceOptions(step: string, heartbeatTimeoutMs: number): ActivityOptions {
  return { ...optionsOf(LOADING, step, heartbeatTimeoutMs), taskQueue: 'maintenance' };
}

/** Of an activity that ends what a step started in another system. */
export function stopOptions(step: string, heartbeatTimeoutMs: number): ActivityOptions {
  return {
    // The step's own queue may be full of others that wait for their jobs.
    taskQueue: 'control',
    startToCloseTimeout: '1 minute',
    heartbeatTimeout: heartbeatTimeoutMs,
    retry: { maximumAttempts: 7, initialInterval: '1 second', maximumInterval: '15 seconds', backoffCoefficient: 2 },
    priority: { priorityKey: 1 },
    summary: `${step}: stop`,
  };
}

function optionsOf(effective: ActivityPolicy, step: string, heartbeatTimeoutMs: number): ActivityOptions {
  return {
    startToCloseTimeout: effective.startToCloseMs,
    heartbeatTimeout: heartbeatTimeoutMs,
    // A cancelled run waits until its remote jobs have been stopped.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: {
      maximumAttempts: effective.maximumAttempts,
      initialInterval: effective.initialIntervalMs,
      maximumInterval: Math.max(effective.maximumIntervalMs, effective.initialIntervalMs),
      backoffCoefficient: effective.backoffCoefficient,
    },
    summary: step,
  };
}
