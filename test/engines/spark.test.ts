/** A real standalone Spark, started here, and the whole service: what an application does is counted in its own journal. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { KillingProxy } from '../support/killing-proxy.ts';
import { Service } from '../support/service.ts';
import { SparkStandalone } from '../support/spark-standalone.ts';
import { crashesSuite } from './spark/crashes.suite.ts';
import { runsSuite } from './spark/runs.suite.ts';
import { submitterSuite } from './spark/submitter.suite.ts';
import { NUMBERS, type Subject } from './spark/subject.ts';

let subject: Subject;
const started = new AsyncDisposableStack();

beforeAll(async () => {
  const spark = started.use(await SparkStandalone.start());
  const proxy = started.use(await KillingProxy.start(spark.url));
  const service = started.use(await Service.start({ SPARK_REST_URL: proxy.url, HEARTBEAT_TIMEOUT: '3s' }));
  await writeFile(join(service.folder, 'numbers.csv'), `n\n${NUMBERS.join('\n')}\n`);
  subject = { spark, proxy, service };
}, 900_000);
afterAll(() => started.disposeAsync());
beforeEach(() => {
  subject.proxy.hooks = {};
});

runsSuite(() => subject);
submitterSuite(() => subject);
crashesSuite(() => subject);
