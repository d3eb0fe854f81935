/**
 * The pipeline document (spec section 3), as it stands after parameters were put in: what the API validates, what
 * OpenAPI shows, what the activities read. Rules that need more than one place of the document (names that must
 * exist, cycles) are in `check-references.ts`; parameters in `parameters.ts`.
 */
import * as z from 'zod';
import { apiSource } from './api-source.ts';
import { duration } from './duration.ts';

/** Every object of JavaScript has these; as a name they would seem to be there where nobody put them. */
const OF_EVERY_OBJECT = new Set(Object.getOwnPropertyNames(Object.prototype));
const isFree = (name: string) => !OF_EVERY_OBJECT.has(name);

/** Names of sources, transformations and sinks: they are also SQL tables and parts of step names. */
const stepName = z
  .string()
  .regex(
    /^[A-Za-z_][A-Za-z0-9_-]{0,62}$/,
    'expected letters, digits, _ and - (63 at most), starting with a letter or _',
  )
  .refine(isFree, 'expected another name; this one is reserved');
const parameterName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, 'expected letters, digits and _ (63 at most), starting with a letter or _')
  .refine(isFree, 'expected another name; this one is reserved');
const pipelineName = z
  .string()
  .regex(/^[a-z0-9-]{1,63}$/, 'expected 1 to 63 of a-z, 0-9 and -')
  .refine(
    (name) => !['executions', 'workflows', 'validate'].includes(name),
    'expected another name; this one is part of the API',
  );
const timezone = z.string().refine(isTimezone, 'expected a time zone such as UTC or Europe/Berlin').default('UTC');

const columnName = z.string().min(1).max(255);
const columnNames = z.array(columnName).min(1);
const weight = z.number().positive().max(1e6).default(1);
const severity = z.enum(['INFO', 'WARNING', 'ERROR', 'CRITICAL']).default('ERROR');
const jsonScalar = z.union([z.string(), z.number(), z.boolean()]);
const sqlText = z.string().min(1);

/** `namespace.table`, more than one level of namespace allowed. */
export const tableName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)+$/, 'expected namespace.table');

const fileFormat = z.enum(['csv', 'json', 'parquet']);
const fileSource = z.strictObject({
  type: z.literal('file'),
  path: z.string().min(1),
  format: fileFormat,
  options: z
    .record(z.string(), z.union([jsonScalar, z.array(z.string()), z.record(z.string(), z.string())]))
    .optional(),
});
const jdbcSource = z.strictObject({
  type: z.literal('jdbc'),
  connection: z.string().min(1),
  table: z.string().min(1).optional(),
  query: sqlText.optional(),
  watermark_column: columnName.optional(),
  partition_column: columnName.optional(),
  num_partitions: z.int().min(1).max(64).optional(),
  fetch_size: z.int().min(1).max(1_000_000).optional(),
});
const icebergSource = z.strictObject({
  type: z.literal('iceberg'),
  table: tableName,
  snapshot_id: z.string().regex(/^\d+$/, 'expected a snapshot id, as a string of digits').optional(),
});
const sparkJob = {
  application: z.string().min(1),
  args: z.array(z.string()).optional(),
  conf: z.record(z.string(), z.string()).optional(),
};
const sparkSource = z.strictObject({ type: z.literal('spark'), ...sparkJob });
export const source = z.discriminatedUnion('type', [fileSource, jdbcSource, icebergSource, apiSource, sparkSource]);

const checkBase = { source: stepName, severity, weight };
const bound = z.union([z.number(), z.string()]);
export const qualityCheck = z.discriminatedUnion('type', [
  z.strictObject({ ...checkBase, type: z.literal('not_null'), columns: columnNames }),
  z.strictObject({
    ...checkBase,
    type: z.literal('range'),
    column: columnName,
    min: bound.optional(),
    max: bound.optional(),
  }),
  z.strictObject({
    ...checkBase,
    type: z.literal('row_count'),
    min: z.int().min(0).optional(),
    max: z.int().min(0).optional(),
  }),
  z.strictObject({ ...checkBase, type: z.literal('unique'), columns: columnNames }),
  z.strictObject({ ...checkBase, type: z.literal('regex'), column: columnName, pattern: z.string().min(1) }),
  z.strictObject({
    ...checkBase,
    type: z.literal('accepted_values'),
    column: columnName,
    values: z.array(jsonScalar).min(1),
  }),
  z.strictObject({ ...checkBase, type: z.literal('freshness'), column: columnName, max_age: duration }),
  z.strictObject({ ...checkBase, type: z.literal('schema'), columns: z.record(columnName, z.string().min(1)) }),
  z.strictObject({
    ...checkBase,
    type: z.literal('referential'),
    column: columnName,
    references: z.string().regex(/^[^.]+\..+$/, 'expected source.column'),
  }),
  z.strictObject({ ...checkBase, type: z.literal('custom_sql'), sql: sqlText, source: stepName.optional() }),
]);

export const qualityChecks = z.strictObject({
  min_score: z.number().min(0).max(1).default(1),
  approval: z
    .strictObject({
      timeout: duration.default('4h'),
      approvers: z.array(z.string().min(1)).default([]),
      remind_after: z.array(duration).default([]),
    })
    .prefault({}),
  checks: z.array(qualityCheck).default([]),
});

const transformationBase = { name: stepName, depends_on: z.array(stepName).default([]) };
export const transformation = z.discriminatedUnion('engine', [
  z.strictObject({ ...transformationBase, engine: z.literal('sql'), sql: sqlText }),
  z.strictObject({
    ...transformationBase,
    engine: z.literal('airflow'),
    dag_id: z.string().min(1),
    conf: z.record(z.string(), z.json()).optional(),
    result_task: z.string().min(1).optional(),
  }),
  z.strictObject({ ...transformationBase, engine: z.literal('spark'), ...sparkJob }),
  z.strictObject({ ...transformationBase, engine: z.literal('flink'), statement: sqlText }),
  z.strictObject({
    ...transformationBase,
    engine: z.literal('dbt'),
    project: z.string().min(1),
    select: z.string().optional(),
    vars: z.record(z.string(), z.json()).optional(),
    profile: z.record(z.string(), z.json()).optional(),
  }),
]);

export const partitionField = z
  .string()
  .regex(
    /^(?:(?:year|month|day|hour)\([^(),]+\)|(?:bucket|truncate)\(\s*[1-9]\d{0,8}\s*,[^(),]+\)|[^(),]+)$/,
    'expected a column, year|month|day|hour(column), bucket(16, column) or truncate(4, column)',
  );
const sinkBase = { from: stepName };
const icebergSink = z.strictObject({
  ...sinkBase,
  type: z.literal('iceberg'),
  table: tableName,
  mode: z.enum(['append', 'overwrite', 'overwrite_partition', 'merge']).default('append'),
  merge_keys: columnNames.optional(),
  schema_evolution: z.enum(['none', 'add_columns']).default('none'),
  partition_by: z.array(partitionField).default([]),
});
const postgresSink = z.strictObject({
  ...sinkBase,
  type: z.literal('postgres'),
  connection: z.string().min(1),
  table: z.string().min(1),
  mode: z.enum(['append', 'overwrite', 'merge']).default('append'),
  merge_keys: columnNames.optional(),
});
const fileSink = z.strictObject({
  ...sinkBase,
  type: z.literal('file'),
  path: z.string().min(1),
  format: fileFormat,
});
export const sink = z.discriminatedUnion('type', [icebergSink, postgresSink, fileSink]);

const blackout = z.union([
  z.strictObject({ from: z.iso.datetime({ offset: true }), to: z.iso.datetime({ offset: true }) }),
  z.strictObject({ cron: z.string().min(1), duration }),
]);
const schedule = z.strictObject({
  cron: z.string().min(1).optional(),
  interval: duration.optional(),
  timezone,
  start: z.iso.datetime({ offset: true }).optional(),
  end: z.iso.datetime({ offset: true }).optional(),
  jitter: duration.optional(),
  overlap: z.enum(['skip', 'buffer_one']).default('skip'),
  catchup: z.enum(['none', 'latest', 'all']).default('none'),
  blackouts: z.array(blackout).default([]),
  enabled: z.boolean().default(true),
});

const ACTIVITIES = [
  'extract_data',
  'validate_quality',
  'trigger_airflow_dag',
  'run_spark_job',
  'run_flink_statement',
  'run_dbt',
  'run_sql',
  'load_to_iceberg',
  'load_to_postgres',
  'write_file',
  'process_partition',
  'notify_quality_issue',
  'notify_pipeline_completion',
  'notify_failure',
] as const;
const activityName = z.enum(ACTIVITIES);

export const orchestration = z.strictObject({
  compute: z.enum(['duckdb', 'spark']).default('duckdb'),
  schedule: schedule.optional(),
  after: z.array(pipelineName).default([]),
  timeout: duration.default('24h'),
  concurrency: z
    .strictObject({ max_runs: z.int().min(1).max(1000), on_conflict: z.enum(['queue', 'reject']).default('queue') })
    .optional(),
  priority: z.enum(['LOW', 'NORMAL', 'HIGH']).default('NORMAL'),
  retry: z
    .partialRecord(
      activityName,
      z.strictObject({
        max_attempts: z.int().min(1).max(100).optional(),
        initial_interval: duration.optional(),
        max_interval: duration.optional(),
        backoff: z.number().min(1).max(10).optional(),
      }),
    )
    .default({}),
  timeouts: z.partialRecord(activityName, duration).default({}),
  notifications: z
    .strictObject({
      on: z
        .array(z.enum(['quality_issue', 'failure', 'completion']))
        .default(['quality_issue', 'failure', 'completion']),
      slack: z.string().optional(),
      email: z.array(z.email()).optional(),
      pagerduty: z.boolean().optional(),
    })
    .prefault({}),
});

const definition = z.strictObject({
  sources: z.record(stepName, source).refine((all) => Object.keys(all).length > 0, 'expected at least one source'),
  quality_checks: qualityChecks.prefault({}),
  transformations: z.array(transformation).default([]),
  sinks: z.record(stepName, sink).refine((all) => Object.keys(all).length > 0, 'expected at least one sink'),
  partitioning: z
    .strictObject({
      column: columnName,
      size: z.enum(['hour', 'day', 'week', 'month']),
      timezone,
    })
    .optional(),
  orchestration: orchestration.prefault({}),
});

/** `{type, default}`, or a bare value that is the default and whose type is taken from it. */
export const parameter = z.union([
  z.strictObject({
    type: z.enum(['string', 'int', 'float', 'boolean', 'date', 'timestamp', 'enum']),
    default: jsonScalar.optional(),
    values: z.array(z.string()).min(1).optional(),
    description: z.string().optional(),
  }),
  jsonScalar,
]);

export const pipelineDocument = z.strictObject({
  name: pipelineName,
  version: z.string().min(1).max(64),
  description: z.string().max(10_000).optional(),
  owner: z.string().max(255).optional(),
  tags: z.array(z.string().min(1).max(63)).max(50).default([]),
  parameters: z.record(parameterName, parameter).default({}),
  definition,
});

export type ActivityName = (typeof ACTIVITIES)[number];
export type PipelineDocument = z.output<typeof pipelineDocument>;
export type PipelineDefinition = z.output<typeof definition>;
export type Source = z.output<typeof source>;
export type FileSource = z.output<typeof fileSource>;
export type JdbcSource = z.output<typeof jdbcSource>;
export type IcebergSource = z.output<typeof icebergSource>;
export type SparkSource = z.output<typeof sparkSource>;
export type QualityCheck = z.output<typeof qualityCheck>;
export type Transformation = z.output<typeof transformation>;
export type Sink = z.output<typeof sink>;
export type PostgresSink = z.output<typeof postgresSink>;
export type FileSink = z.output<typeof fileSink>;

/** Whether the runtime knows the zone (IANA's names, and offsets such as +02:00). */
function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
