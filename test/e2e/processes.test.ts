/**
 * The service as production runs it: an API and workers in processes of their own, on a real PostgreSQL and a real
 * Temporal server that none of them started.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTable } from '../../scripts/read-table.ts';
import { ApiClient } from '../../src/cli/api-client.ts';
import { startPostgres } from '../support/postgres-server.ts';
import { testTemporal } from '../support/temporal.ts';

let folder: string;
let postgres: Awaited<ReturnType<typeof startPostgres>>;
let environment: Record<string, string>;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'processes-'));
  postgres = await startPostgres();
  const { address, namespace } = await testTemporal();
  environment = {
    DATABASE_URL: postgres.url,
    TEMPORAL_ADDRESS: address,
    TEMPORAL_NAMESPACE: namespace,
    DATA_DIR: join(folder, 'data'),
    HEARTBEAT_TIMEOUT: '3s',
    PORT: '0',
    METRICS_PORT: '0',
  };
  await writeFile(join(folder, 'input.csv'), `n\n${Array.from({ length: 100 }, (_, n) => n).join('\n')}\n`);
});

afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
});

async function start(
  entry: 'api' | 'worker',
  more: Record<string, string> = {},
): Promise<{ url: string; child: ChildProcess }> {
  const child = launch(entry, { ...environment, ...more });
  const said: string[] = [];
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout ?? process.stdin }).on('line', (line) => {
      said.push(line);
      const { msg, url: where } = JSON.parse(line) as { msg: string; url?: string };
      if (msg === 'ready' && where !== undefined) resolve(where);
    });
    child.once('exit', () => {
      reject(new Error(said.join('\n')));
    });
  });
  return { url, child };
}

function launch(entry: string, variables: Record<string, string>): ChildProcess {
  const file = fileURLToPath(new URL(`../../src/${entry}.ts`, import.meta.url));
  const child = spawn(process.execPath, [file], {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

test.each(['api', 'worker'])(
  'the %s alone, when nothing shared is configured, says what it needs and ends',
  async (entry) => {
    const child = launch(entry, { DATA_DIR: join(folder, 'alone') });
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const [code] = (await once(child, 'exit')) as [number];
    expect(code).toBe(1);
    expect(said).toMatch(/DATABASE_URL.*\n.*TEMPORAL_ADDRESS/);
  },
);

test('a run, when the worker that has it is killed, is finished by another one, its rows once', async () => {
  const { url } = await start('api');
  const first = await start('worker');
  const quick = { initial_interval: '200ms', max_interval: '1s' };
  const document = {
    name: 'split',
    version: '1',
    definition: {
      sources: { numbers: { type: 'file', path: join(folder, 'input.csv'), format: 'csv' } },
      transformations: [
        {
          name: 'slow',
          engine: 'sql',
          sql: 'select n, (select count(*) from range(20000) a(x), range(20000) b(y) where (x + y) % 97 = 1 and n >= 0) as work from numbers',
        },
      ],
      sinks: { out: { type: 'iceberg', from: 'slow', table: 'split.numbers' } },
      orchestration: { retry: { run_sql: quick, load_to_iceberg: quick } },
    },
  };
  const api = new ApiClient({ url });
  const { pipelineId } = await api.create({ type: 'application/json', text: JSON.stringify(document) });
  const { workflowId } = await api.execute(pipelineId, {}, crypto.randomUUID());
  const seen = async (done: (status: Awaited<ReturnType<ApiClient['status']>>) => boolean) => {
    await expect.poll(async () => done(await api.status(workflowId)), { timeout: 60_000, interval: 50 }).toBe(true);
  };
  await seen(({ currentActivity }) => currentActivity === 'run_sql');
  first.child.kill('SIGKILL');
  const second = await start('worker');
  await seen(({ status }) => status !== 'RUNNING');
  const status = await api.status(workflowId);
  expect(status).toMatchObject({ status: 'COMPLETED', progress: 1 });
  expect(status.retries).toBeGreaterThanOrEqual(1);
  const [counted] = await readTable(
    environment['DATA_DIR'] ?? '',
    'split.numbers',
    't',
    'select count(*)::int as rows from t',
  );
  expect(counted).toEqual({ rows: 100 });

  const metrics = await (await fetch(`${second.url}/metrics`)).text();
  expect(metrics).toMatch(/^temporal_workflow_completed_total\{workflow_type="DataPipelineWorkflow"\} 1$/m);
  expect((await fetch(`${second.url}/health/ready`)).status).toBe(200);
}, 120_000);
