/** A real Flink session cluster with its SQL gateway, started here, and the whole service: jobs are counted at Flink's job manager. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { FlinkCluster } from '../support/flink-cluster.ts';
import { KillingProxy } from '../support/killing-proxy.ts';
import { S3Gateway } from '../support/s3-gateway.ts';
import { Service } from '../support/service.ts';
import { crashesSuite } from './flink/crashes.suite.ts';
import { exampleSuite } from './flink/example.suite.ts';
import { runsSuite } from './flink/runs.suite.ts';
import { s3Suite } from './flink/s3.suite.ts';
import { NUMBERS, type Subject } from './flink/subject.ts';

let subject: Subject;
const started = new AsyncDisposableStack();

beforeAll(async () => {
  const s3 = started.use(await S3Gateway.start());
  const cluster = started.use(await FlinkCluster.start(s3));
  const gateway = started.use(await KillingProxy.start(cluster.gatewayUrl));
  const jobManager = started.use(await KillingProxy.start(cluster.restUrl));
  const environment = {
    FLINK_SQL_GATEWAY_URL: gateway.url,
    FLINK_REST_URL: jobManager.url,
    HEARTBEAT_TIMEOUT: '3s',
  };
  const service = started.use(await Service.start(environment));
  await writeFile(join(service.folder, 'numbers.csv'), `n\n${NUMBERS.join('\n')}\n`);
  subject = { cluster, gateway, jobManager, service, environment, s3 };
}, 900_000);
afterAll(() => started.disposeAsync());
beforeEach(() => {
  subject.gateway.hooks = {};
  subject.jobManager.hooks = {};
});

runsSuite(() => subject);
exampleSuite(() => subject);
crashesSuite(() => subject);
s3Suite(() => subject);
