/**
 * The service as production runs it: an API and workers in processes of their own, on a real PostgreSQL and a real
 * Temporal server that none of them started.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTable } from '../../scripts/read-table.ts';
import { ApiClient } from '../../src/cli/api-client.ts';
import { freePorts } from '../../src/temporal/free-ports.ts';
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
  await rm(folder, { recursive: true, maxRetries: 20, retryDelay: 200, force: true });
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

test.each([
  ['server', 'PORT'],
  ['api', 'PORT'],
  ['worker', 'METRICS_PORT'],
])('the %s, when its %s is in use, says so before it starts anything, and ends', async (entry, variable) => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  // A Temporal server that is not there: whoever connects to it before looking at the port waits for it.
  const shared = entry === 'server' ? {} : { ...environment, TEMPORAL_ADDRESS: '127.0.0.1:1' };
  const alone = { DATA_DIR: join(folder, `port-${entry}`), HOST: '127.0.0.1' };
  const child = launch(entry, { ...shared, ...alone, [variable]: String(port) });
  let said = '';
  for (const stream of [child.stderr, child.stdout]) {
    stream?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
  }
  const [code] = (await once(child, 'exit')) as [number];
  other.close();
  expect(code).toBe(1);
  expect(said).toMatch(new RegExp(`${variable} ${port} on HOST 127.0.0.1 cannot be listened on: .*EADDRINUSE`));
  expect(await readdir(alone.DATA_DIR).then((names) => names.filter((name) => /temporal|registry/.test(name)))).toEqual(
    [],
  );
});

test('the api, when it is still starting, is alive, not ready, and asks to come again', async () => {
  // Something that takes connections and says nothing, where Temporal should be.
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const [port = 0] = await freePorts([undefined]);
  const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const child = launch('api', { ...environment, TEMPORAL_ADDRESS: address, PORT: String(port) });
  const ask = (path: string) => fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined);
  await expect.poll(async () => (await ask('/health'))?.status, { timeout: 60_000, interval: 50 }).toBe(200);
  const ready = await ask('/health/ready');
  expect([ready?.status, ready?.headers.get('retry-after')]).toEqual([503, '1']);
  expect(await (await ask('/v1/pipelines'))?.json()).toMatchObject({ error: { code: 'SERVICE_UNAVAILABLE' } });
  child.kill('SIGKILL');
  silent.close();
});

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
  const { workflowId, executionId } = await api.execute(pipelineId, {}, crypto.randomUUID());
  const seen = async (done: (status: Awaited<ReturnType<ApiClient['status']>>) => boolean) => {
    await expect.poll(async () => done(await api.status(workflowId)), { timeout: 60_000, interval: 50 }).toBe(true);
  };
  // Its worker has it: until then the workflow has only asked for it.
  const steps = async () => (await api.steps(executionId)).map(({ step, status }) => `${step} ${status}`);
  await expect.poll(steps, { timeout: 60_000, interval: 50 }).toContain('transform:slow RUNNING');
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
}, 400_000);
