import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { totalmem, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { CONFIG_VARIABLES, loadConfig } from '../../../src/config.ts';
import { StartupError } from '../../../src/startup-error.ts';

const JWT_SECRET = 'a secret of HS256 has 32 bytes at least';

const folder = mkdtempSync(join(tmpdir(), 'config-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

/** Each line of the message is one fault. */
function faultsOf(variables: Record<string, string>): string[] {
  try {
    loadConfig(variables);
  } catch (error) {
    expect(error).toBeInstanceOf(StartupError);
    return (error as Error).message
      .split('\n')
      .slice(1)
      .map((line) => line.trim());
  }
  return [];
}

describe('the configuration', () => {
  test('when nothing is set, has the defaults of the specification', () => {
    const config = loadConfig({});

    expect(config.http).toEqual({ host: '127.0.0.1', port: 8092, publicUrl: undefined });
    expect(config.open).toBe(true);
    expect(config.dataDir).toBe(resolve('.data'));
    expect(config.stagingUri).toBe(`file://${resolve('.data/staging')}`);
    expect(config.metricsPort).toBe(9464);
    expect(config.temporal).toMatchObject({ address: undefined, namespace: 'matih-pipelines' });
    expect(config.worker).toMatchObject({ concurrency: 10, heartbeatTimeoutMs: 15_000 });
    expect(config.worker.taskQueues).toHaveLength(11);
    expect(config.runRetentionMs).toBe(90 * 86_400_000);
    expect(config.fileRoots).toBe('any');
    expect(config.logLevel).toBe('info');
    expect(config.databaseUrl).toBeUndefined();
  });

  test('when no memory limit is set, gives DuckDB at most 60 % of the machine', () => {
    const { memoryLimitBytes } = loadConfig({}).duckdb;

    expect(memoryLimitBytes).toBeGreaterThan(16e6);
    expect(memoryLimitBytes).toBeLessThanOrEqual(totalmem() * 0.6);
  });

  test('when a variable is empty, treats it as not set', () => {
    expect(loadConfig({ PORT: '', AUTH_JWT_SECRET: '', HOST: '' })).toEqual(loadConfig({}));
  });

  test('when several values are bad, tells every fault at once and names each variable', () => {
    const faults = faultsOf({
      PORT: '80a',
      WORKER_CONCURRENCY: '0',
      RUN_RETENTION: '90',
      TASK_QUEUES: 'load,loading',
      STAGING_URI: 'ftp://x',
      HOST: '0.0.0.0',
      AIRFLOW_USERNAME: 'someone',
    });

    expect(faults.map((fault) => fault.split(':')[0]).sort()).toEqual([
      'AIRFLOW_PASSWORD',
      'HOST',
      'PORT',
      'RUN_RETENTION',
      'STAGING_URI',
      'TASK_QUEUES',
      'WORKER_CONCURRENCY',
    ]);
    expect(faults).toContain('PORT: expected a whole number from 0 to 65535, got "80a"');
  });

  test.each([
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '8092.5'],
    ['PORT', ' 8092'],
    ['LOG_LEVEL', 'loud'],
    ['HEARTBEAT_TIMEOUT', '0s'],
    ['TEMPORAL_ADDRESS', 'localhost'],
    ['TEMPORAL_ADDRESS', 'http://localhost:7233'],
    ['TEMPORAL_TLS_CA', '/does/not/exist.pem'],
    ['DATABASE_URL', 'mysql://host/db'],
    ['DUCKDB_MEMORY_LIMIT', '4 apples'],
    ['DUCKDB_MEMORY_LIMIT', '12'],
    ['AIRFLOW_URL', 'airflow:8080'],
    ['EGRESS_ALLOW', 'https://example.com'],
    ['EGRESS_ALLOW', '10.0.0.0/33'],
    ['EGRESS_ALLOW', '10.0.0.300'],
    ['EGRESS_ALLOW', '[::1]/129'],
    ['EGRESS_ALLOW', '[::ffff:10.0.0.0]/104'],
    ['EGRESS_ALLOW', 'host:65536'],
    ['AUTH_JWT_SECRET', 'x'.repeat(31)],
    ['MAIL_TO', 'nobody'],
    ['SPARK_K8S_NAMESPACE', 'Spark_Jobs'],
    ['PUBLIC_URL', 'pipelines.example.com'],
    ['SMTP_URL', 'http://host'],
    ['ICEBERG_REST_URI', 's3://bucket'],
    ['FILE_ROOTS', ':'],
    ['FILE_ROOTS', '/data:s3://'],
    ['FILE_ROOTS', 'ftp://host/data'],
  ])('when %s is %j, stops the start with one fault that names it', (name, value) => {
    const faults = faultsOf({ [name]: value });

    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(new RegExp(`^${name}: `));
  });

  test('when Spark is named in two ways, asks for one', () => {
    const both = { SPARK_REST_URL: 'http://master:6066', SPARK_K8S_NAMESPACE: 'spark-jobs' };
    expect(faultsOf(both)).toEqual([expect.stringMatching(/^SPARK_K8S_NAMESPACE: set either this or SPARK_REST_URL/)]);
  });

  test.each(['STAGING_URI', 'ICEBERG_WAREHOUSE'])(
    'when %s is on S3 and nothing says where that is, names both',
    (name) => {
      expect(faultsOf({ [name]: 's3://bucket/prefix' })).toEqual([
        expect.stringMatching(new RegExp(`^AWS_REGION: needed .*S3_ENDPOINT.*${name}`)),
      ]);
      expect(loadConfig({ [name]: 's3://bucket/prefix', S3_ENDPOINT: 'http://127.0.0.1:9000' }).s3.configured).toBe(
        true,
      );
    },
  );

  test('when a secret is bad, does not print it', () => {
    const [fault] = faultsOf({ DATABASE_URL: 'mysql://user:hunter2@host/db' });

    expect(fault).toMatch(/^DATABASE_URL: expected/);
    expect(fault).not.toContain('hunter2');
  });

  test.each([
    ['4GB', 4e9],
    ['512MB', 512e6],
    ['1GiB', 2 ** 30],
    ['1.5gb', 1.5e9],
    ['1073741824', 2 ** 30],
  ])('when DUCKDB_MEMORY_LIMIT is %s, is %d bytes', (text, bytes) => {
    expect(loadConfig({ DUCKDB_MEMORY_LIMIT: text }).duckdb.memoryLimitBytes).toBe(bytes);
  });

  test('when lists are given, splits them and makes paths absolute', () => {
    const config = loadConfig({
      FILE_ROOTS: '/data:s3://bucket/in:examples',
      TASK_QUEUES: 'load, extract,load',
      EGRESS_ALLOW: '*.example.com,10.0.0.0/8,[::1]:8080',
      STAGING_URI: 's3://bucket/staging/',
      AWS_REGION: 'eu-central-1',
    });

    expect(config.fileRoots).toEqual(['/data', 's3://bucket/in', resolve('examples')]);
    expect(config.worker.taskQueues).toEqual(['load', 'extract']);
    expect(config.egressAllow).toEqual(['*.example.com', '10.0.0.0/8', '[::1]:8080']);
    expect(config.stagingUri).toBe('s3://bucket/staging');
  });
});

describe('open mode', () => {
  test.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost'])('when HOST is %s, is accepted', (host) => {
    expect(loadConfig({ HOST: host }).http.host).toBe(host);
  });

  test.each(['0.0.0.0', '::', '192.168.1.2', 'pipelines.example.com', '127.0.0.1.example.com'])(
    'when HOST is %s, stops the start with a message that names HOST',
    (host) => {
      expect(faultsOf({ HOST: host })).toEqual([expect.stringMatching(/^HOST: only a loopback address/)]);
    },
  );

  test('when a way to authenticate is set, is off: any HOST, no files, no secrets from the environment', () => {
    const config = loadConfig({ AUTH_JWT_SECRET: JWT_SECRET, PIPELINE_SECRET_DB: 'x', HOST: '10.0.0.5' });

    expect(config).toMatchObject({ open: false, http: { host: '10.0.0.5' }, fileRoots: [] });
    expect(config.secrets.fromEnvironment).toEqual({});
    expect(loadConfig({ AUTH_JWKS_URL: 'https://issuer/keys' }).http.host).toBe('0.0.0.0');
  });

  test('when pipelines have secrets in the environment, takes exactly those', () => {
    const { fromEnvironment } = loadConfig({ PIPELINE_SECRET_DB: 'x', PIPELINE: 'y', SECRET_DB: 'z' }).secrets;

    expect(fromEnvironment).toEqual({ DB: 'x' });
  });

  test('when both ways to authenticate are set, stops the start', () => {
    const faults = faultsOf({ AUTH_JWT_SECRET: JWT_SECRET, AUTH_JWKS_URL: 'https://issuer/keys' });

    expect(faults).toEqual([expect.stringMatching(/^AUTH_JWT_SECRET: set either this or AUTH_JWKS_URL/)]);
  });
});

describe('a secret in a file', () => {
  test('when its _FILE variable names one, is read without the line end', () => {
    expect(loadConfig({ AUTH_JWT_SECRET_FILE: file('jwt', `${JWT_SECRET}\n`) }).auth.jwtSecret).toBe(JWT_SECRET);
  });

  test.each([
    ['is missing', () => '/does/not/exist'],
    ['is empty', () => file('empty', '\n')],
  ])('when it %s, is told once, under the name of the _FILE variable', (_, path) => {
    expect(faultsOf({ DATABASE_URL_FILE: path(), HOST: '127.0.0.1' })).toEqual([
      expect.stringMatching(/^DATABASE_URL_FILE: /),
    ]);
  });

  test('when the variable itself is set too, is refused', () => {
    expect(faultsOf({ SLACK_BOT_TOKEN: 'a', SLACK_BOT_TOKEN_FILE: file('slack', 'b') })).toEqual([
      'SLACK_BOT_TOKEN_FILE: set either this or SLACK_BOT_TOKEN, not both',
    ]);
  });

  test('when the variable is no secret, has no _FILE form', () => {
    expect(loadConfig({ PORT_FILE: file('port', '1') }).http.port).toBe(8092);
  });

  test('when TLS files are named by path, are read', () => {
    const pem = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----';
    const { tls } = loadConfig({
      TEMPORAL_TLS_CERT: file('cert.pem', pem),
      TEMPORAL_TLS_KEY_FILE: file('key.pem', pem),
      TEMPORAL_TLS_CA: pem,
    }).temporal;

    expect(tls).toEqual({ certificate: pem, key: pem, authority: pem });
  });
});

describe('the table of variables', () => {
  test('when compared with what is parsed, has every variable with a meaning', () => {
    expect(CONFIG_VARIABLES.length).toBeGreaterThan(45);
    for (const { name, meaning } of CONFIG_VARIABLES) expect(meaning, name).toMatch(/\.$/);
  });

  test('when a variable holds a credential, marks it as a secret', () => {
    const secrets = CONFIG_VARIABLES.filter(({ secret }) => secret === true).map(({ name }) => name);

    expect(secrets).toEqual(
      expect.arrayContaining(['DATABASE_URL', 'AUTH_JWT_SECRET', 'AIRFLOW_PASSWORD', 'ICEBERG_TOKEN', 'SMTP_URL']),
    );
  });
});
