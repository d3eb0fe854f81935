/** A real Airflow 3, started here, and the whole service: DAG runs are counted in Airflow itself. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { AirflowServer } from '../support/airflow-server.ts';
import { KillingProxy } from '../support/killing-proxy.ts';
import { Service } from '../support/service.ts';
import { clientSuite } from './airflow/client.suite.ts';
import { crashesSuite } from './airflow/crashes.suite.ts';
import { NUMBERS } from './airflow/numbers.ts';
import { runsSuite } from './airflow/runs.suite.ts';
import type { Subject } from './airflow/subject.ts';

let subject: Subject;
const started = new AsyncDisposableStack();

beforeAll(async () => {
  const airflow = started.use(await AirflowServer.start({ dagsFolder: join(import.meta.dirname, 'airflow/dags') }));
  const proxy = started.use(await KillingProxy.start(airflow.url));
  const service = started.use(
    await Service.start({
      AIRFLOW_URL: proxy.url,
      AIRFLOW_USERNAME: airflow.username,
      AIRFLOW_PASSWORD: airflow.password,
      HEARTBEAT_TIMEOUT: '3s',
    }),
  );
  await writeFile(join(service.folder, 'numbers.csv'), `n\n${NUMBERS.join('\n')}\n`);
  subject = { airflow, proxy, service };
}, 900_000);
afterAll(() => started.disposeAsync());
beforeEach(() => {
  subject.proxy.hooks = {};
});

clientSuite(() => subject);
runsSuite(() => subject);
crashesSuite(() => subject);
