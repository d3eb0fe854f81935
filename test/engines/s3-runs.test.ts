/** Whole runs with source, staging and sink on S3, and SIGKILL wherever a worker knows less than S3 does. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type KillMoment, type ProxiedRequest, KillingProxy } from '../support/killing-proxy.ts';
import { S3Gateway, SECRET_ACCESS_KEY } from '../support/s3-gateway.ts';
import { Service } from '../support/service.ts';

let gateway: S3Gateway;
let proxy: KillingProxy;
let service: Service;
let runs = 0;

beforeAll(async () => {
  gateway = await S3Gateway.start();
  proxy = await KillingProxy.start(gateway.url, 'exact');
  service = await Service.start({
    ...gateway.environment,
    S3_ENDPOINT: proxy.url,
    STAGING_URI: 's3://lake/staging',
    ICEBERG_WAREHOUSE: 's3://lake/warehouse',
    HEARTBEAT_TIMEOUT: '3s',
  });
  await gateway.put('in/day=1/numbers.csv', `n\n${Array.from({ length: 1000 }, (_, n) => n).join('\n')}\n`);
  await gateway.put('in/day=2/numbers.csv', `n\n${Array.from({ length: 1000 }, (_, n) => n + 1000).join('\n')}\n`);
});
afterEach(() => {
  proxy.hooks = {};
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
  await gateway[Symbol.asyncDispose]();
});

const quick = { initial_interval: '200ms', max_interval: '1s', max_attempts: 5 };

/** A pipeline with a sink of its own. */
async function register(source = 's3://lake/in/*/numbers.csv'): Promise<{ pipelineId: string; sink: string }> {
  runs += 1;
  const sink = `out/numbers-${runs}.csv`;
  const activities = ['extract_data', 'validate_quality', 'run_sql', 'write_file', 'load_to_iceberg'];
  const lake = { type: 'iceberg', from: 'texts', table: `runs.numbers_${runs}`, mode: 'append' };
  const pipelineId = await service.register({
    name: `numbers-${runs}`,
    version: '1',
    definition: {
      sources: { numbers: { type: 'file', path: source, format: 'csv' } },
      quality_checks: { checks: [{ source: 'numbers', type: 'unique', columns: ['n'] }] },
      transformations: [{ name: 'texts', engine: 'sql', sql: "select n, 'n' || n as text from numbers" }],
      sinks: { out: { type: 'file', from: 'texts', path: `s3://lake/${sink}`, format: 'csv' }, lake },
      orchestration: { retry: Object.fromEntries(activities.map((activity) => [activity, quick])) },
    },
  });
  return { pipelineId, sink };
}

const EXPECTED = `n,text\n${Array.from({ length: 2000 }, (_, n) => `${n},n${n}`).join('\n')}\n`;

async function expectWrittenOnce(sink: string): Promise<void> {
  expect((await gateway.get(sink)).toString()).toBe(EXPECTED);
  expect(await gateway.versions(sink)).toBe(1);
}

/** A run's staging goes right after its end is told. */
async function expectNothingStaged(): Promise<void> {
  await expect.poll(() => gateway.keys('staging/'), { timeout: 60_000 }).toEqual([]);
}

/** Of the processes that were; the one that lives may keep copies for the next step. */
async function scratchFolders(): Promise<string[]> {
  return (await readdir(join(service.dataDir, 'scratch'))).filter((name) => !name.includes('.lock'));
}

test('a run, when everything is on S3, writes its object once, drops its staging and keeps its keys to itself', async () => {
  const staged: string[] = [];
  proxy.hooks = {
    onRequest: ({ method, path }) => {
      if (method === 'PUT' && path.includes('/staging/')) staged.push(path);
      return undefined;
    },
  };
  const { pipelineId, sink } = await register();
  const { workflowId, executionId } = await service.execute(pipelineId);
  expect(await service.ended(workflowId)).toMatchObject({ status: 'COMPLETED' });
  await expectWrittenOnce(sink);
  expect(staged.map((path) => path.replace(/\?.*/, '').split('/').slice(4, -2))).toEqual(
    [
      [pipelineId, executionId, 'extract-numbers'],
      [pipelineId, executionId, 'transform-texts'],
    ].map((folders) => expect.arrayContaining(folders) as string[]),
  );
  await expectNothingStaged();
  const files = await readdir(service.folder, { recursive: true, withFileTypes: true });
  for (const file of files.filter((entry) => entry.isFile())) {
    const content = await readFile(join(file.parentPath, file.name), 'latin1').catch(() => '');
    expect(content.includes(SECRET_ACCESS_KEY), file.name).toBe(false);
  }
  expect(service.log(10_000)).not.toContain(SECRET_ACCESS_KEY);
});

const isStaging = (step: string) => (request: ProxiedRequest) =>
  request.method === 'PUT' && request.path.includes(`/${step}/`);
const isSink = ({ method, path }: ProxiedRequest) => method === 'PUT' && path.includes('/out/');

test.each<[string, KillMoment, (request: ProxiedRequest) => boolean]>([
  ['before it stages what it read', 'request', isStaging('extract-numbers')],
  ['when it has staged rows, before it knows', 'answer', isStaging('transform-texts')],
  ['before it writes the object', 'request', isSink],
  ['when the object is written, before it knows', 'answer', isSink],
  ['when it knows that the object is written, before that is recorded', 'later', isSink],
])(
  'the service, when it is killed %s, writes the object once',
  async (_, moment, isIt) => {
    const killed = proxy.killAt({ moment, isIt, laterMs: 1 }, () => service.kill('everything'));
    const { pipelineId, sink } = await register();
    const { workflowId } = await service.execute(pipelineId);
    await killed;
    await service.start();
    expect(await service.ended(workflowId, 90_000)).toMatchObject({ status: 'COMPLETED' });
    await expectWrittenOnce(sink);
    await expectNothingStaged();
    expect((await scratchFolders()).length).toBe(1);
  },
  150_000,
);

test('a run, when S3 is away for a while, waits and completes', async () => {
  const { pipelineId, sink } = await register();
  let away: Promise<void> | undefined;
  proxy.hooks = {
    onRequest: async (request) => {
      if (away === undefined && isStaging('extract-numbers')(request)) {
        await gateway.stop();
        away = new Promise((resolve) => setTimeout(resolve, 2000)).then(() => gateway.start());
      }
      return undefined;
    },
  };
  const { workflowId } = await service.execute(pipelineId);
  expect(await service.ended(workflowId, 60_000)).toMatchObject({ status: 'COMPLETED' });
  await away;
  await expectWrittenOnce(sink);
});

test('a run, when its object is missing, fails at once with its name; a retry reuses what is staged', async () => {
  const { pipelineId } = await register('s3://lake/in/none.csv');
  const { workflowId, executionId } = await service.execute(pipelineId);
  expect(await service.ended(workflowId)).toMatchObject({ status: 'FAILED', retries: 0 });
  const { body } = await service.call('GET', `/v1/pipelines/executions/${executionId}`);
  expect(JSON.stringify(body)).toContain('s3://lake/in/none.csv: there is no such object');

  const { pipelineId: other, sink } = await register();
  let refuse = true;
  proxy.hooks = { onRequest: (request) => (refuse && isSink(request) ? { status: 403, body: '' } : undefined) };
  const first = await service.execute(other);
  expect(await service.ended(first.workflowId)).toMatchObject({ status: 'FAILED', retries: 0 });
  expect(await gateway.keys('staging/')).toHaveLength(2);
  refuse = false;
  const retried = await service.call('POST', `/v1/pipelines/executions/${first.executionId}/retry`, {});
  expect(retried.status).toBe(202);
  const ended = await service.ended(retried.body['workflowId'] as string);
  expect(ended).toMatchObject({ status: 'COMPLETED' });
  expect(proxy.answered.filter(({ request }) => isStaging('extract-numbers')(request)).length).toBeGreaterThan(0);
  await expectWrittenOnce(sink);
  await expectNothingStaged();
});
