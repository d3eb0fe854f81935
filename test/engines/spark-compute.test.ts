/** A real standalone Spark, started here, and the whole service: one pipeline run both ways, here and on the cluster. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { hadoopOnS3 } from '../support/hadoop-on-s3.ts';
import { KillingProxy } from '../support/killing-proxy.ts';
import { preparePythonEnvironment } from '../support/python-environment.ts';
import { S3Gateway } from '../support/s3-gateway.ts';
import { Service } from '../support/service.ts';
import { SMALL_JOB, SparkStandalone } from '../support/spark-standalone.ts';
import { backfillSuite } from './spark-compute/backfill.suite.ts';
import { bothWaysSuite } from './spark-compute/both-ways.suite.ts';
import { cancellingSuite } from './spark-compute/cancelling.suite.ts';
import { crashesSuite } from './spark-compute/crashes.suite.ts';
import { exampleSuite } from './spark-compute/example.suite.ts';
import { maintenanceSuite } from './spark-compute/maintenance.suite.ts';
import { patternsSuite } from './spark-compute/patterns.suite.ts';
import { s3Suite } from './spark-compute/s3.suite.ts';
import { type Subject, writeSources } from './spark-compute/subject.ts';

let subject: Subject;
const started = new AsyncDisposableStack();

beforeAll(async () => {
  const s3 = started.use(await S3Gateway.start());
  const settings = await mkdtemp(join(tmpdir(), 'pipeline-service-hadoop-'));
  started.defer(() => rm(settings, { recursive: true, maxRetries: 20, retryDelay: 200 }));
  const hadoop = await hadoopOnS3(s3, settings);
  const spark = started.use(await SparkStandalone.start([], { cores: 8, environment: hadoop }));
  const proxy = started.use(await KillingProxy.start(spark.url));
  const { jars } = await preparePythonEnvironment((line) => process.stderr.write(`${line}\n`));
  const classPath = jars.join(':');
  const withIceberg = { 'spark.driver.extraClassPath': classPath, 'spark.executor.extraClassPath': classPath };
  const environment = {
    SPARK_REST_URL: proxy.url,
    SPARK_COMPUTE_CONF: JSON.stringify({ ...SMALL_JOB, ...withIceberg }),
    HEARTBEAT_TIMEOUT: '3s',
  };
  const service = started.use(await Service.start(environment));
  await writeSources(service.folder);
  subject = { spark, proxy, service, environment, s3 };
}, 900_000);
afterAll(() => started.disposeAsync());
beforeEach(() => {
  subject.proxy.hooks = {};
});

bothWaysSuite(() => subject);
patternsSuite(() => subject);
exampleSuite(() => subject);
cancellingSuite(() => subject);
crashesSuite(() => subject);
backfillSuite(() => subject);
maintenanceSuite(() => subject);
s3Suite(() => subject);
