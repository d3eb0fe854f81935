/**
 * The only reader of the environment. {@link loadConfig} turns it into plain nested values once, at the start, or tells
 * every fault in one message that names the variables; the variables themselves are in `config-variables.ts`.
 */
import { readFileSync } from 'node:fs';
import { homedir, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { TASK_QUEUES, type TaskQueue } from './config-formats.ts';
import { CONFIG_VARIABLES, environment, type Environment, type VariableName } from './config-variables.ts';
import { messageOf } from './errors.ts';
import { StartupError } from './startup-error.ts';

export { CONFIG_VARIABLES } from './config-variables.ts';

export type Config = ReturnType<typeof nest>;

export type Variables = Readonly<Record<string, string | undefined>>;

/**
 * @param variables `process.env` when left out
 * @throws StartupError with all faults at once, a line each, without any secret
 */
export function loadConfig(variables: Variables = process.env): Config {
  const faults: string[] = [];
  const texts = readTexts(variables, faults);
  const parsed = environment.safeParse(texts);
  for (const { path, message } of parsed.error?.issues ?? []) {
    const variable = path[0] as VariableName;
    if (texts[variable] === '') continue; // Its file could not be read, which is told already.
    const shown = isSecret(variable) ? '' : `, got ${JSON.stringify(texts[variable])}`;
    faults.push(`${variable}: ${message}${shown}`);
  }
  faults.push(...contradictions(texts));
  if (parsed.success && faults.length === 0) return nest(parsed.data, variables);
  throw new StartupError(`The configuration is not usable:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
}

const isSecret = (variable: string) =>
  CONFIG_VARIABLES.some(({ name, secret }) => name === variable && secret === true);

type Texts = Partial<Record<VariableName, string>>;

/** The texts of our variables: from the environment, from the file that `…_FILE` names, or a PEM file. */
function readTexts(variables: Variables, faults: string[]): Texts {
  const texts: Texts = {};
  for (const { name, secret } of CONFIG_VARIABLES) {
    const value = variables[name] ?? '';
    const file = secret === true ? (variables[`${name}_FILE`] ?? '') : '';
    if (value !== '' && file !== '') faults.push(`${name}_FILE: set either this or ${name}, not both`);
    else if (file !== '') texts[name] = readText(`${name}_FILE`, file, faults);
    else if (value !== '') texts[name] = value;
    const pem = texts[name];
    if (name.startsWith('TEMPORAL_TLS_') && pem !== undefined && pem !== '' && !pem.includes('-----BEGIN')) {
      texts[name] = readText(name, pem, faults);
    }
  }
  return texts;
}

function readText(variable: string, file: string, faults: string[]): string {
  try {
    const text = readFileSync(file, 'utf8').trim();
    if (text === '') faults.push(`${variable}: the file ${file} is empty`);
    return text;
  } catch (error) {
    faults.push(`${variable}: ${messageOf(error)}`);
    return '';
  }
}

/** Rules that need more than one variable. */
function contradictions(values: Texts): string[] {
  const faults: string[] = [];
  const together = (...names: VariableName[]) => {
    const missing = names.filter((name) => values[name] === undefined);
    if (missing.length > 0 && missing.length < names.length) {
      faults.push(`${missing.join(', ')}: needed, since the other one of ${names.join(' and ')} is set`);
    }
  };
  if (isOpen(values) && values.HOST !== undefined && !LOOPBACK.test(values.HOST)) {
    faults.push(
      `HOST: only a loopback address (127.0.0.1, ::1, localhost) while the service is open, got ` +
        `${JSON.stringify(values.HOST)}; to listen elsewhere set AUTH_JWKS_URL or AUTH_JWT_SECRET`,
    );
  }
  if (values.AUTH_JWKS_URL !== undefined && values.AUTH_JWT_SECRET !== undefined) {
    faults.push('AUTH_JWT_SECRET: set either this or AUTH_JWKS_URL, not both: they mean different algorithms');
  }
  if (values.ICEBERG_TOKEN !== undefined && values.ICEBERG_CREDENTIAL !== undefined) {
    faults.push('ICEBERG_CREDENTIAL: set either this or ICEBERG_TOKEN, not both');
  }
  together('TEMPORAL_TLS_CERT', 'TEMPORAL_TLS_KEY');
  together('AIRFLOW_USERNAME', 'AIRFLOW_PASSWORD');
  // What is no URL has a fault of its own.
  if (values.AIRFLOW_URL?.startsWith('http') === true && values.AIRFLOW_USERNAME === undefined) {
    faults.push('AIRFLOW_USERNAME: needed, with AIRFLOW_PASSWORD, since AIRFLOW_URL is set');
  }
  if (values.SPARK_REST_URL !== undefined && values.SPARK_K8S_NAMESPACE !== undefined) {
    faults.push('SPARK_K8S_NAMESPACE: set either this or SPARK_REST_URL, not both: a job runs in one place');
  }
  together('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY');
  if (values.S3_ENDPOINT === undefined && values.AWS_REGION === undefined) {
    const onS3 = Object.entries({
      STAGING_URI: values.STAGING_URI,
      ...(values.ICEBERG_REST_URI === undefined && { ICEBERG_WAREHOUSE: values.ICEBERG_WAREHOUSE }),
    }).find(([, uri]) => uri?.startsWith('s3://') === true);
    if (onS3 !== undefined) {
      faults.push(`AWS_REGION: needed (or S3_ENDPOINT, where S3 is not AWS), since ${onS3[0]} is on S3`);
    }
  }
  return faults;
}

const LOOPBACK = /^(localhost|::1|127\.\d{1,3}\.\d{1,3}\.\d{1,3})$/;
const isOpen = (values: { AUTH_JWKS_URL?: unknown; AUTH_JWT_SECRET?: unknown }) =>
  values.AUTH_JWKS_URL === undefined && values.AUTH_JWT_SECRET === undefined;

/** The values as the parts of the service take them. */
function nest(v: Environment, variables: Variables) {
  const open = isOpen(v);
  const cacheHome = variables['XDG_CACHE_HOME'] ?? '';
  return {
    /** No authentication: one tenant, one user with all roles, loopback only (spec section 4). */
    open,
    logLevel: v.LOG_LEVEL,
    dataDir: v.DATA_DIR,
    /** Folder of this project in the user's cache, for what is obtained once. */
    cacheDir: resolve(cacheHome === '' ? resolve(homedir(), '.cache') : cacheHome, 'pipeline-service'),
    http: {
      host: v.HOST ?? (open ? '127.0.0.1' : '0.0.0.0'),
      port: v.PORT,
      /** Undefined: where the API listens. */
      publicUrl: v.PUBLIC_URL,
    },
    metricsPort: v.METRICS_PORT,
    auth: {
      jwksUrl: v.AUTH_JWKS_URL,
      jwtSecret: v.AUTH_JWT_SECRET,
      issuer: v.AUTH_ISSUER,
      audience: v.AUTH_AUDIENCE,
    },
    /** Undefined: PGlite in `dataDir`. */
    databaseUrl: v.DATABASE_URL,
    runRetentionMs: v.RUN_RETENTION,
    temporal: {
      /** Undefined: a dev server of our own. */
      address: v.TEMPORAL_ADDRESS,
      namespace: v.TEMPORAL_NAMESPACE,
      apiKey: v.TEMPORAL_API_KEY,
      /** PEM texts. */
      tls: { certificate: v.TEMPORAL_TLS_CERT, key: v.TEMPORAL_TLS_KEY, authority: v.TEMPORAL_TLS_CA },
    },
    worker: {
      taskQueues: v.TASK_QUEUES ?? ([...TASK_QUEUES] satisfies TaskQueue[]),
      concurrency: v.WORKER_CONCURRENCY,
      heartbeatTimeoutMs: v.HEARTBEAT_TIMEOUT,
    },
    /** Hosts, addresses and CIDR ranges that pipelines may call although they are private. */
    egressAllow: v.EGRESS_ALLOW ?? [],
    /** `file://` or `s3://`, without a slash at the end. */
    stagingUri: v.STAGING_URI ?? pathToFileURL(resolve(v.DATA_DIR, 'staging')).href,
    s3: {
      /** One of the two must be there for `s3://` to be used. */
      configured: v.S3_ENDPOINT !== undefined || v.AWS_REGION !== undefined,
      endpoint: v.S3_ENDPOINT,
      region: v.AWS_REGION,
      accessKeyId: v.AWS_ACCESS_KEY_ID,
      secretAccessKey: v.AWS_SECRET_ACCESS_KEY,
      sessionToken: v.AWS_SESSION_TOKEN,
    },
    /** Absolute folders and `s3://bucket/prefix`; `any` while open and nothing is set. */
    fileRoots: v.FILE_ROOTS ?? (open ? ('any' as const) : []),
    secrets: {
      dir: v.SECRETS_DIR,
      /** By NAME, from `PIPELINE_SECRET_NAME`; only while open (spec section 3). */
      fromEnvironment: open ? pipelineSecrets(variables) : {},
    },
    duckdb: { memoryLimitBytes: v.DUCKDB_MEMORY_LIMIT ?? Math.floor(containerMemoryBytes() * 0.6) },
    iceberg: {
      restUri: v.ICEBERG_REST_URI,
      warehouse: v.ICEBERG_WAREHOUSE,
      token: v.ICEBERG_TOKEN,
      credential: v.ICEBERG_CREDENTIAL,
    },
    spark: {
      restUrl: v.SPARK_REST_URL,
      k8sNamespace: v.SPARK_K8S_NAMESPACE,
      /** Of the jobs of `compute: spark`. */
      computeConf: v.SPARK_COMPUTE_CONF ?? {},
    },
    airflow: { url: v.AIRFLOW_URL, username: v.AIRFLOW_USERNAME, password: v.AIRFLOW_PASSWORD },
    flink: { sqlGatewayUrl: v.FLINK_SQL_GATEWAY_URL, restUrl: v.FLINK_REST_URL },
    /** `searchPath` is also the PATH that dbt gets. */
    dbt: { command: v.DBT_COMMAND, searchPath: variables['PATH'] ?? '' },
    slack: {
      botToken: v.SLACK_BOT_TOKEN,
      signingSecret: v.SLACK_SIGNING_SECRET,
      channel: v.SLACK_CHANNEL,
      apiUrl: v.SLACK_API_URL,
    },
    mail: { smtpUrl: v.SMTP_URL, from: v.MAIL_FROM, to: v.MAIL_TO ?? [] },
    pagerduty: { routingKey: v.PAGERDUTY_ROUTING_KEY, apiUrl: v.PAGERDUTY_API_URL },
  };
}

const PIPELINE_SECRET = 'PIPELINE_SECRET_';

function pipelineSecrets(variables: Variables): Record<string, string> {
  const secrets: Record<string, string> = {};
  for (const [name, value] of Object.entries(variables)) {
    if (name.startsWith(PIPELINE_SECRET) && value !== undefined) secrets[name.slice(PIPELINE_SECRET.length)] = value;
  }
  return secrets;
}

/** The limit of the container's control group (version 1 or 2), where it is less than the machine's memory. */
function containerMemoryBytes(): number {
  return Math.min(process.constrainedMemory() || Infinity, totalmem());
}

/** Where the command line finds the service: `PIPELINES_URL`, `PIPELINES_TOKEN`. */
export function loadClientConfig(variables: Variables = process.env): { url: string; token: string | undefined } {
  const url = variables['PIPELINES_URL'] ?? '';
  const token = variables['PIPELINES_TOKEN'] ?? '';
  return { url: url === '' ? 'http://127.0.0.1:8092' : url, token: token === '' ? undefined : token };
}
