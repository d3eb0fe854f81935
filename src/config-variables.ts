/**
 * Every environment variable that the service reads (spec section 7): its form, its default, what it means. One table;
 * `config.ts` parses with it and the README's table is tested against it. An empty variable counts as one that is not set.
 */
import * as z from 'zod';
import {
  byteSize,
  durationInMs,
  egressRules,
  fileRoots,
  hs256Secret,
  httpUrl,
  integer,
  list,
  mailAddresses,
  name,
  path,
  sparkProperties,
  stagingUri,
  taskQueues,
  urlOf,
} from './config-formats.ts';

interface VariableDescription {
  meaning: string;
  /** As an operator reads it; none when the variable has no default. */
  default?: string;
  /** Has a `_FILE` form, and its value is in no message. */
  secret?: true;
}

const descriptions = new Map<z.ZodType, VariableDescription>();

function described<S extends z.ZodType>(schema: S, description: VariableDescription): S {
  descriptions.set(schema, description);
  return schema;
}
function withDefault<S extends z.ZodType<unknown, string>>(schema: S, text: z.input<S>, meaning: string) {
  return described(schema.prefault(text), { meaning, default: text });
}
function optional<S extends z.ZodType>(schema: S, meaning: string, shownDefault?: string) {
  return described(schema.optional(), { meaning, ...(shownDefault === undefined ? {} : { default: shownDefault }) });
}
function secret<S extends z.ZodType>(schema: S, meaning: string) {
  return described(schema.optional(), { meaning, secret: true });
}

const port = integer(0, 65_535);
const pem = z.string();

export const environment = z.object({
  PORT: withDefault(port, '8092', 'Port of the HTTP API; 0 takes a free one.'),
  HOST: optional(
    z.string().regex(/^[\w.:-]+$/, 'expected a host name or an address'),
    'Address that the API and /metrics listen on. While open (neither AUTH_JWKS_URL nor AUTH_JWT_SECRET) only a loopback address is accepted.',
    '`127.0.0.1` while open, else `0.0.0.0`',
  ),
  PUBLIC_URL: optional(httpUrl, 'Where people reach the service, for links in messages.', 'where the API listens'),
  DATA_DIR: withDefault(path, '.data', 'Folder of everything embedded. One process owns it.'),
  LOG_LEVEL: withDefault(
    z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    'info',
    'The least level that is logged.',
  ),
  METRICS_PORT: withDefault(port, '9464', 'Port of /metrics of a process without the API.'),
  RUN_RETENTION: withDefault(durationInMs, '90d', 'How long a closed run, its steps and logs can be asked for.'),

  DATABASE_URL: secret(
    urlOf(['postgres:', 'postgresql:'], 'postgres://user:password@host:5432/database'),
    'PostgreSQL of the registry; without it PGlite in DATA_DIR.',
  ),
  TEMPORAL_ADDRESS: optional(
    z.string().regex(/^(\[[0-9A-Fa-f:.]+\]|[\w.-]+):\d{1,5}$/, 'expected host:port'),
    'Temporal server; without it a local dev server is started.',
  ),
  TEMPORAL_NAMESPACE: withDefault(name, 'matih-pipelines', 'Namespace at the Temporal server.'),
  TEMPORAL_TLS_CERT: optional(pem, 'Client certificate for Temporal: PEM, or the path of a PEM file.'),
  TEMPORAL_TLS_KEY: secret(pem, 'Its private key: PEM, or the path of a PEM file.'),
  TEMPORAL_TLS_CA: optional(pem, 'Certificate authority of the Temporal server: PEM, or the path of a PEM file.'),
  TEMPORAL_API_KEY: secret(z.string(), 'API key for Temporal; implies TLS.'),
  TASK_QUEUES: optional(taskQueues, 'Task queues that this process serves, separated by commas.', 'all'),
  WORKER_CONCURRENCY: withDefault(integer(1, 1000), '10', 'Activities at once per task queue and process.'),
  HEARTBEAT_TIMEOUT: withDefault(durationInMs, '15s', 'An activity that is silent for longer counts as lost.'),

  EGRESS_ALLOW: optional(
    egressRules,
    'Hosts (`*.` in front for all below), addresses and CIDR ranges, each with an optional port, that pipelines may call although they are private; separated by commas.',
  ),
  STAGING_URI: optional(
    stagingUri,
    'Where steps hand each other their data: `file:///folder` or `s3://bucket/prefix`.',
    '`DATA_DIR/staging`',
  ),
  S3_ENDPOINT: optional(httpUrl, 'S3 service, where it is not AWS; buckets are then named in the path.'),
  AWS_REGION: optional(name, 'Region of S3. `s3://` can be used when this or S3_ENDPOINT is set.'),
  AWS_ACCESS_KEY_ID: optional(
    z.string(),
    'Key id for S3; without it AWS’s other ways are tried: profiles, web identities, roles.',
  ),
  AWS_SECRET_ACCESS_KEY: secret(z.string(), 'Key for S3.'),
  AWS_SESSION_TOKEN: secret(z.string(), 'Session token for S3.'),
  FILE_ROOTS: optional(
    fileRoots,
    'Folders and `s3://bucket/prefix`, separated by `:`, that `file` sources and sinks may use; relative paths start at the first folder.',
    'any while open, else none',
  ),
  SECRETS_DIR: optional(path, 'Folder with `<tenant>/NAME` for `${secret:NAME}`.'),
  DUCKDB_MEMORY_LIMIT: optional(
    byteSize,
    'Memory that all DuckDB work of the process shares, such as `4GB`, `512MB` or bytes.',
    '60 % of the container’s memory',
  ),

  ICEBERG_REST_URI: optional(httpUrl, 'Iceberg REST catalog; without it the SQL catalog in DATA_DIR.'),
  ICEBERG_WAREHOUSE: optional(
    z.string(),
    'Warehouse: what the REST catalog calls it, or a folder or `s3://bucket/prefix` for the SQL catalog.',
    '`DATA_DIR/iceberg/warehouse`',
  ),
  ICEBERG_TOKEN: secret(z.string(), 'Bearer token for the REST catalog.'),
  ICEBERG_CREDENTIAL: secret(
    z.string().regex(/^[^:]+:.+$/, 'expected id:secret'),
    'OAuth2 client credential for the REST catalog, `id:secret`.',
  ),
  SPARK_REST_URL: optional(httpUrl, 'REST submission server of a standalone Spark master.'),
  SPARK_K8S_NAMESPACE: optional(
    z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'expected the name of a Kubernetes namespace'),
    'Namespace for SparkApplication objects.',
  ),
  SPARK_COMPUTE_CONF: optional(
    sparkProperties,
    'Spark’s properties for the jobs of `compute: spark`, as JSON: `{"spark.executor.memory":"4g"}`.',
  ),
  AIRFLOW_URL: optional(httpUrl, 'Airflow 3, where its API and UI are.'),
  AIRFLOW_USERNAME: optional(z.string(), 'User at Airflow.'),
  AIRFLOW_PASSWORD: secret(z.string(), 'Its password.'),
  FLINK_SQL_GATEWAY_URL: optional(httpUrl, 'Flink SQL gateway.'),
  FLINK_REST_URL: optional(httpUrl, 'Flink job manager.'),
  DBT_COMMAND: withDefault(z.string(), 'dbt', 'The dbt command: a path, or a name on the PATH.'),

  SLACK_BOT_TOKEN: secret(z.string(), 'Bot token of the Slack app.'),
  SLACK_SIGNING_SECRET: secret(z.string(), 'Signing secret of the Slack app.'),
  SLACK_CHANNEL: optional(z.string(), 'Channel for pipelines that name none.'),
  SLACK_API_URL: withDefault(httpUrl, 'https://slack.com/api/', 'Slack’s Web API.'),
  SMTP_URL: secret(urlOf(['smtp:', 'smtps:'], 'smtp://user:password@host:587'), 'Mail server.'),
  MAIL_FROM: optional(z.string(), 'Sender of mail.'),
  MAIL_TO: optional(mailAddresses, 'Receivers for pipelines that name none, separated by commas.'),
  PAGERDUTY_ROUTING_KEY: secret(z.string(), 'Routing key of PagerDuty’s Events API v2.'),
  PAGERDUTY_API_URL: withDefault(httpUrl, 'https://events.pagerduty.com/', 'PagerDuty’s Events API.'),

  AUTH_JWKS_URL: optional(
    httpUrl,
    'Keys of the token issuer. Without it and AUTH_JWT_SECRET the service is open: one user, loopback only.',
  ),
  AUTH_JWT_SECRET: secret(hs256Secret, 'Secret of HS256 tokens, 32 bytes at least, instead of AUTH_JWKS_URL.'),
  AUTH_ISSUER: optional(z.string(), 'The `iss` that tokens must have.'),
  AUTH_AUDIENCE: optional(list(z.string()), 'The `aud` that tokens must have; several separated by commas.'),
});

export type Environment = z.output<typeof environment>;
export type VariableName = keyof Environment;

export interface ConfigVariable extends VariableDescription {
  name: VariableName;
}

/** The table of the README, in its order. */
export const CONFIG_VARIABLES: readonly ConfigVariable[] = Object.entries(environment.shape).map(
  ([variable, schema]) => {
    const description = descriptions.get(schema);
    if (description === undefined) throw new TypeError(`${variable} is not described`);
    return { name: variable as VariableName, ...description };
  },
);
