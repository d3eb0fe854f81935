/** A real standalone Spark, started here, and the whole service: what an application does is counted in its own journal. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { hadoopOnS3 } from '../support/hadoop-on-s3.ts';
import { KillingProxy } from '../support/killing-proxy.ts';
import { S3Gateway } from '../support/s3-gateway.ts';
import { Service } from '../support/service.ts';
import { SparkStandalone } from '../support/spark-standalone.ts';
import { crashesSuite } from './spark/crashes.suite.ts';
import { runsSuite } from './spark/runs.suite.ts';
import { s3Suite } from './spark/s3.suite.ts';
import { submitterSuite } from './spark/submitter.suite.ts';
import { NUMBERS, type Subject } from './spark/subject.ts';

let subject: Subject;
const started = new AsyncDisposableStack();

beforeAll(async () => {
  const s3 = started.use(await S3Gateway.start());
  const settings = await mkdtemp(join(tmpdir(), 'pipeline-service-hadoop-'));
  started.defer(() => rm(settings, { recursive: true, maxRetries: 20, retryDelay: 200 }));
  const spark = started.use(await SparkStandalone.start([], { environment: await hadoopOnS3(s3, settings) }));
  const proxy = started.use(await KillingProxy.start(spark.url));
  const environment = { SPARK_REST_URL: proxy.url, HEARTBEAT_TIMEOUT: '3s' };
  const service = started.use(await Service.start(environment));
  await writeFile(join(service.folder, 'numbers.csv'), `n\n${NUMBERS.join('\n')}\n`);
  subject = { spark, proxy, service, environment, s3 };
}, 900_000);
afterAll(() => started.disposeAsync());
beforeEach(() => {
  subject.proxy.hooks = {};
});

runsSuite(() => subject);
submitterSuite(() => subject);
crashesSuite(() => subject);
s3Suite(() => subject);
