/** The upkeep of a table on the real thing: the service, its Temporal server, DuckDB and the Iceberg table are real. */
import { execFile } from 'node:child_process';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTable, tableState } from '../../scripts/read-table.ts';
import type { MaintenanceAnswer } from '../../src/schemas/api-maintenance.ts';
import { backfillEnded, dailyPipeline, dayOf, daysCsv, startBackfill } from '../support/backfills.ts';
import { Service } from '../support/service.ts';

const DAYS = 12;
const PATH = '/v1/maintenance/compactions';
const TABLE = 'b.days';

let service: Service;
beforeAll(async () => {
  service = await Service.start({ HEARTBEAT_TIMEOUT: '3s' });
  const csv = join(service.folder, 'days.csv');
  await writeFile(csv, daysCsv(DAYS));
  await service.register(dailyPipeline(csv));
  const id = await startBackfill(service, { start: dayOf(0), end: dayOf(DAYS) });
  expect(await backfillEnded(service, id, 120_000)).toMatchObject({ status: 'COMPLETED' });
}, 180_000);
afterAll(() => service[Symbol.asyncDispose]());

async function compact(body: object): Promise<string> {
  const { status, body: answer } = await service.call('POST', PATH, { table: TABLE, ...body });
  expect(status, JSON.stringify(answer)).toBe(202);
  return answer['maintenanceId'] as string;
}

async function until(id: string, reached: (now: MaintenanceAnswer) => boolean): Promise<MaintenanceAnswer> {
  const deadlineMs = Date.now() + 120_000;
  for (;;) {
    const { body } = await service.call('GET', `${PATH}/${id}`);
    const now = body as unknown as MaintenanceAnswer;
    if (reached(now)) return now;
    if (Date.now() > deadlineMs) throw new Error(`never reached: ${JSON.stringify(now)}\n${service.log()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const begun = (now: MaintenanceAnswer, wanted: string): boolean =>
  now.status !== 'RUNNING' || now.steps.some(({ step, status }) => step === wanted && status !== 'PENDING');

test('a compaction, when everything is killed while it works, leaves one large file, one commit and every row', async () => {
  const sql = 'select count(*)::int as rows, sum(n)::int as total, count(distinct d)::int as days from t';
  const before = await readTable(service.dataDir, TABLE, 't', sql);
  const folder = join(service.dataDir, 'iceberg/warehouse/b/days/data');
  const orphan = join(folder, 'killed/left.parquet');
  await mkdir(join(orphan, '..'), { recursive: true });
  await writeFile(orphan, 'x'.repeat(10));
  const old = new Date(Date.now() - 4 * 86_400_000);
  await utimes(orphan, old, old);

  const id = await compact({ minInputFiles: 2, expireSnapshots: { olderThan: '1ms' } });
  for (const [step, what] of [
    ['rewrite', 'everything'],
    ['expire', 'service'],
    ['orphans', 'everything'],
  ] as const) {
    await until(id, (now) => begun(now, step));
    await service.kill(what);
    await service.start();
  }
  const ended = await until(id, ({ status }) => status !== 'RUNNING');
  expect(ended, JSON.stringify(ended)).toMatchObject({
    status: 'COMPLETED',
    before: { dataFiles: DAYS, records: DAYS * 3, snapshots: DAYS },
    after: { dataFiles: 1, records: DAYS * 3, snapshots: 1, deleteFiles: 0 },
    rewritten: { rewrittenFiles: DAYS, addedFiles: 1 },
    expired: { snapshots: DAYS },
  });
  expect(ended.before?.bytes).toBeGreaterThan(ended.after?.bytes ?? Infinity);
  expect(ended.steps.map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => 'COMPLETED'));
  const attempts = ended.steps.map((step) => step.attempts ?? 0);
  const { retries } = await service.api.status(ended.workflowId);
  expect(retries).toBe(attempts.reduce((total, n) => total + n - 1, 0));
  expect(await readTable(service.dataDir, TABLE, 't', sql)).toEqual(before);
  expect((await tableState(service.dataDir, TABLE))?.snapshots).toBe(1);
  expect((await readdir(folder, { recursive: true })).filter((name) => name.includes('left'))).toEqual([]);
}, 240_000);

test('a compaction, when it has ended, is counted once, and nothing is left for another', async () => {
  const before = await completions();
  const id = await compact({ expireSnapshots: false });
  expect(await until(id, ({ status }) => status !== 'RUNNING')).toMatchObject({
    status: 'COMPLETED',
    rewritten: { rewrittenFiles: 0, snapshotId: null },
    before: { dataFiles: 1 },
    after: { dataFiles: 1 },
  });
  expect(await completions()).toBe(before + 1);
});

async function completions(): Promise<number> {
  const line = /^temporal_workflow_completed_total\{workflow_type="TableMaintenanceWorkflow"\} (\d+)$/m;
  return Number(line.exec(await service.metrics())?.[1]);
}

test('the command compact, when it waits, shows the table before and after', async () => {
  const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
  const env = { PATH: process.env['PATH'], PIPELINES_URL: service.url };
  const { stdout } = await promisify(execFile)(process.execPath, [cli, 'compact', TABLE, '--no-expire', '--wait'], {
    env,
  });
  expect(stdout).toMatch(/b\.days {2}.*COMPLETED/);
  expect(stdout).toMatch(/dataFiles +1 +1/);
});

test('a compaction, when its table is not there, fails and says so', async () => {
  const id = await compact({ table: 'b.none' });
  const ended = await until(id, ({ status }) => status !== 'RUNNING');
  expect(ended).toMatchObject({ status: 'FAILED', reason: 'there is no table b.none' });
  expect(ended.steps[0]).toMatchObject({ status: 'FAILED', error: { type: 'ValidationError' } });
});
