/** A real Airflow 3, started here, and the whole service: DAG runs are counted in Airflow itself. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { AirflowServer } from '../support/airflow-server.ts';
import { KillingProxy } from '../support/killing-proxy.ts';
import { S3Gateway } from '../support/s3-gateway.ts';
import { Service } from '../support/service.ts';
import { backfillSuite } from './airflow/backfill.suite.ts';
import { clientSuite } from './airflow/client.suite.ts';
import { crashesSuite } from './airflow/crashes.suite.ts';
import { interruptionsSuite } from './airflow/interruptions.suite.ts';
import { NUMBERS } from './airflow/numbers.ts';
import { runsSuite } from './airflow/runs.suite.ts';
import { s3Suite } from './airflow/s3.suite.ts';
import { environmentOf, type Subject, TOKEN_LIFE_S } from './airflow/subject.ts';

const EXAMPLE = join(import.meta.dirname, '../../examples/airflow');

let subject: Subject;
const started = new AsyncDisposableStack();

beforeAll(async () => {
  const s3 = started.use(await S3Gateway.start());
  const { S3_ENDPOINT: endpoint = '', ...keys } = s3.environment;
  const airflow = started.use(
    await AirflowServer.start({
      dagFolders: [join(import.meta.dirname, 'airflow/dags'), join(EXAMPLE, 'dags')],
      settings: {
        AIRFLOW__API_AUTH__JWT_EXPIRATION_TIME: String(TOKEN_LIFE_S),
        AIRFLOW__API_AUTH__JWT_LEEWAY: '0',
        ...keys,
        AWS_ENDPOINT_URL: endpoint,
      },
    }),
  );
  const proxy = started.use(await KillingProxy.start(airflow.url));
  const service = started.use(await Service.start(environmentOf(airflow, proxy)));
  await writeFile(join(service.folder, 'numbers.csv'), `n\n${NUMBERS.join('\n')}\n`);
  subject = { airflow, proxy, service, s3 };
}, 900_000);
afterAll(() => started.disposeAsync());
beforeEach(() => {
  subject.proxy.hooks = {};
});

clientSuite(() => subject);
runsSuite(() => subject);
interruptionsSuite(() => subject);
crashesSuite(() => subject);
s3Suite(() => subject);
backfillSuite(() => subject);
