/** dbt Core with its adapters for DuckDB and PostgreSQL, a real PostgreSQL, and the whole service; nothing stands in. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { dbtCommand } from '../support/dbt-environment.ts';
import { startPostgres } from '../support/postgres-server.ts';
import { Service } from '../support/service.ts';
import { backfillSuite } from './dbt/backfill.suite.ts';
import { crashesSuite } from './dbt/crashes.suite.ts';
import { exampleSuite } from './dbt/example.suite.ts';
import { runsSuite } from './dbt/runs.suite.ts';
import { s3Suite } from './dbt/s3.suite.ts';
import type { Subject } from './dbt/subject.ts';

let subject: Subject;
const started = new AsyncDisposableStack();

beforeAll(async () => {
  const dbt = await dbtCommand();
  const folder = await mkdtemp(join(tmpdir(), 'pipeline-service-dbt-'));
  started.defer(() => rm(folder, { recursive: true, maxRetries: 20, retryDelay: 200, force: true }));
  await writeFile(join(folder, 'orders.csv'), 'day,amount\n2001-01-01,2\n2001-01-01,3\n2001-01-02,4\n');
  const postgres = await startPostgres();
  started.defer(() => postgres.stop());
  const environment = {
    DBT_COMMAND: dbt,
    HEARTBEAT_TIMEOUT: '3s',
    PIPELINE_SECRET_WAREHOUSE: new URL(postgres.url).password,
    PIPELINE_SECRET_WRONG: 'not-the-password',
  };
  subject = { dbt, folder, postgres, environment, service: started.use(await Service.start(environment)) };
}, 400_000);
afterAll(() => started.disposeAsync());

runsSuite(() => subject);
exampleSuite(() => subject);
backfillSuite(() => subject);
crashesSuite(() => subject);
s3Suite(() => subject);
