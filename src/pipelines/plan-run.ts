/** From a definition to the plan that the workflow follows: steps in an order that works, policies, deadlines. */
import type { ActivityName, PipelineDefinition, Sink, Transformation } from '../schemas/definition.ts';
import { durationMs } from '../schemas/duration.ts';
import { inOrder } from '../schemas/transformation-order.ts';
import type { ActivityPolicy, PlannedStep, RunPlan } from '../workflows/messages.ts';

const PRIORITY_KEYS = { HIGH: 1, NORMAL: 3, LOW: 5 } as const;
type Priority = keyof typeof PRIORITY_KEYS;

const TRANSFORMATION_ACTIVITIES: Record<Transformation['engine'], ActivityName> = {
  sql: 'run_sql',
  airflow: 'trigger_airflow_dag',
  spark: 'run_spark_job',
  flink: 'run_flink_statement',
  dbt: 'run_dbt',
};

const SINK_ACTIVITIES: Record<Sink['type'], ActivityName> = {
  iceberg: 'load_to_iceberg',
  postgres: 'load_to_postgres',
  file: 'write_file',
};

export interface RunSettings {
  priority: Priority;
  heartbeatTimeoutMs: number;
  /** What does the work that no engine of its own does. */
  engine?: 'duckdb' | 'spark';
}

/** `definition` has its parameters in it and has been validated. */
export function planRun(
  definition: PipelineDefinition,
  { priority, heartbeatTimeoutMs, engine = 'duckdb' }: RunSettings,
): RunPlan {
  const { sources, transformations, sinks, quality_checks: quality, orchestration } = definition;
  const sourceNames = Object.keys(sources);
  return {
    extractions: Object.entries(sources).map(([name, { type }]) => ({
      step: `extract:${name}`,
      activity: type === 'spark' ? 'run_spark_job' : 'extract_data',
      inputs: [],
    })),
    transformations: inOrder(transformations).map(({ name, engine, depends_on: dependsOn }): PlannedStep => ({
      step: `transform:${name}`,
      activity: TRANSFORMATION_ACTIVITIES[engine],
      inputs: [...new Set([...sourceNames, ...dependsOn])],
    })),
    loads: Object.entries(sinks).map(([name, { type, from }]): PlannedStep => ({
      step: `load:${name}`,
      activity: SINK_ACTIVITIES[type],
      inputs: [from],
    })),
    policies: policiesOf(orchestration),
    gate: {
      timeoutMs: durationMs(quality.approval.timeout),
      remindAfterMs: quality.approval.remind_after.map(durationMs),
    },
    deadlineMs: durationMs(orchestration.timeout),
    heartbeatTimeoutMs,
    notifyOn: orchestration.notifications.on,
    priorityKey: PRIORITY_KEYS[priority],
    maxRuns: maxRunsOf(definition),
    ...(engine === 'spark' && { compute: engine }),
  };
}

/**
 * Two runs that read on from the same watermark would load the same rows twice, so an incremental pipeline runs one at
 * a time, whatever it asks for.
 */
function maxRunsOf({ sources, orchestration }: PipelineDefinition): number | null {
  const incremental = Object.values(sources).some(
    (source) => source.type === 'jdbc' && source.watermark_column !== undefined,
  );
  return incremental ? 1 : (orchestration.concurrency?.max_runs ?? null);
}

function policiesOf({ retry, timeouts }: PipelineDefinition['orchestration']): RunPlan['policies'] {
  const policies: RunPlan['policies'] = {};
  const of = (activity: string): Partial<ActivityPolicy> => (policies[activity as ActivityName] ??= {});
  for (const [activity, override] of Object.entries(retry)) {
    const policy = of(activity);
    if (override.max_attempts !== undefined) policy.maximumAttempts = override.max_attempts;
    if (override.initial_interval !== undefined) policy.initialIntervalMs = durationMs(override.initial_interval);
    if (override.max_interval !== undefined) policy.maximumIntervalMs = durationMs(override.max_interval);
    if (override.backoff !== undefined) policy.backoffCoefficient = override.backoff;
  }
  for (const [activity, timeout] of Object.entries(timeouts)) of(activity).startToCloseMs = durationMs(timeout);
  return policies;
}
