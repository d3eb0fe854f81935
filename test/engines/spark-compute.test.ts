/** A real standalone Spark, started here, and the whole service: one pipeline run both ways, here and on the cluster. */
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { KillingProxy } from '../support/killing-proxy.ts';
import { Service } from '../support/service.ts';
import { SMALL_JOB, SparkStandalone } from '../support/spark-standalone.ts';
import { bothWaysSuite } from './spark-compute/both-ways.suite.ts';
import { crashesSuite } from './spark-compute/crashes.suite.ts';
import { type Subject, writeSources } from './spark-compute/subject.ts';

let subject: Subject;
const started = new AsyncDisposableStack();

beforeAll(async () => {
  const spark = started.use(await SparkStandalone.start([], { cores: 8 }));
  const proxy = started.use(await KillingProxy.start(spark.url));
  const service = started.use(
    await Service.start({
      SPARK_REST_URL: proxy.url,
      SPARK_COMPUTE_CONF: JSON.stringify(SMALL_JOB),
      HEARTBEAT_TIMEOUT: '3s',
    }),
  );
  await writeSources(service.folder);
  subject = { spark, proxy, service };
}, 900_000);
afterAll(() => started.disposeAsync());
beforeEach(() => {
  subject.proxy.hooks = {};
});

bothWaysSuite(() => subject);
crashesSuite(() => subject);
