/** Backfills on the real thing: the service, its Temporal server, DuckDB, the registry and the Iceberg table are real. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTable, tableState } from '../../scripts/read-table.ts';
import {
  backfillEnded,
  backfillUntil,
  dailyPipeline,
  dayOf,
  daysCsv,
  partitionsOf,
  startBackfill,
  tellBackfill,
} from '../support/backfills.ts';
import { Service } from '../support/service.ts';

const DAYS = 40;
const range = { start: dayOf(0), end: dayOf(DAYS) };
const COUNTS = `select count(*)::int as rows, count(distinct n)::int as numbers, count(distinct d)::int as days,
  sum(twice - 2 * n)::int as wrong from t`;
const whole = { rows: DAYS * 3, numbers: DAYS * 3, days: DAYS, wrong: 0 };

let service: Service;
let csv: string;
beforeAll(async () => {
  service = await Service.start({ HEARTBEAT_TIMEOUT: '3s' });
  csv = join(service.folder, 'days.csv');
  await writeFile(csv, daysCsv(DAYS));
  await service.register(dailyPipeline(csv));
});
afterAll(() => service[Symbol.asyncDispose]());

test('a dry run, when nothing was done before, lists every partition and does nothing', async () => {
  const { status, body } = await service.call('POST', '/v1/pipelines/daily/backfills', { ...range, dryRun: true });
  expect(status).toBe(200);
  expect(body).toMatchObject({ partitions: DAYS, toRun: DAYS, toSkip: 0 });
  const listed = body['data'] as unknown[];
  expect(listed).toHaveLength(DAYS);
  expect(listed[0]).toEqual({ start: '2001-01-01T00:00:00+00:00', end: '2001-01-02T00:00:00+00:00', action: 'RUN' });
  expect(await tableState(service.dataDir, 'b.days')).toBeUndefined();
});

test('a backfill, when the service and everything are killed on the way, loads each day once', async () => {
  const id = await startBackfill(service, range);
  for (const [at, what] of [
    [5, 'service'],
    [15, 'everything'],
    [25, 'service'],
  ] as const) {
    await backfillUntil(service, id, ({ counts }) => counts.COMPLETED >= at);
    await service.kill(what);
    await service.start();
  }
  const ended = await backfillEnded(service, id, 120_000);
  expect(ended).toMatchObject({ status: 'COMPLETED', progress: 1, rows: DAYS * 3, partitions: DAYS });
  expect(ended.counts).toMatchObject({ COMPLETED: DAYS, FAILED: 0, PENDING: 0, RUNNING: 0 });
  const [counted] = await readTable(service.dataDir, 'b.days', 't', COUNTS);
  expect(counted).toEqual(whole);
  // One commit each: none was loaded twice.
  expect((await tableState(service.dataDir, 'b.days'))?.snapshots).toBe(DAYS);
}, 400_000);

test('the same backfill, when it is started again with reprocess none, does nothing', async () => {
  const id = await startBackfill(service, range);
  const ended = await backfillEnded(service, id);
  expect(ended).toMatchObject({ status: 'COMPLETED', progress: 1, rows: 0 });
  expect(ended.counts).toMatchObject({ SKIPPED: DAYS, COMPLETED: 0 });
  const [first] = await partitionsOf(service, id);
  expect(first).toMatchObject({ state: 'SKIPPED', reason: 'it has completed before', attempts: 0 });
  expect((await tableState(service.dataDir, 'b.days'))?.snapshots).toBe(DAYS);
});

test('a few days, when they are processed again, replace their rows and no others, latest first', async () => {
  const id = await startBackfill(service, {
    start: dayOf(28),
    end: dayOf(33),
    reprocess: 'completed',
    order: 'descending',
    concurrency: 1,
  });
  expect(await backfillEnded(service, id)).toMatchObject({ status: 'COMPLETED', rows: 15 });
  const partitions = await partitionsOf(service, id);
  expect(partitions.map(({ start }) => start.slice(0, 10))).toEqual([32, 31, 30, 29, 28].map(dayOf));
  const began = partitions.map(({ startedAt }) => startedAt ?? '');
  expect(began).toEqual(began.toSorted());
  const [counted] = await readTable(service.dataDir, 'b.days', 't', COUNTS);
  expect(counted).toEqual(whole);
});

test('two days, when their data is broken, fail alone; a retry mends them under the same id', async () => {
  const good = daysCsv(6);
  await writeFile(
    join(service.folder, 'broken.csv'),
    good.replace(`${dayOf(1)},3\n`, `${dayOf(1)},\n`).replace(`${dayOf(4)},12\n`, `${dayOf(4)},\n`),
  );
  const checks = { checks: [{ source: 'days', type: 'not_null', columns: ['n'] }] };
  const sinks = { lake: { type: 'iceberg', from: 'doubled', table: 'b.broken' } };
  const document = dailyPipeline(join(service.folder, 'broken.csv'), { quality_checks: checks, sinks });
  await service.register({ ...document, name: 'broken' });
  const id = await startBackfill(service, { start: dayOf(0), end: dayOf(6) }, 'broken');
  const failed = await backfillEnded(service, id);
  expect(failed).toMatchObject({ status: 'FAILED', reason: '2 of 6 partitions failed', rows: 12 });
  expect(failed.counts).toMatchObject({ COMPLETED: 4, FAILED: 2 });
  const broken = await partitionsOf(service, id, '&state=FAILED');
  expect(broken.map(({ start }) => start.slice(0, 10))).toEqual([dayOf(1), dayOf(4)]);
  expect(broken[0]?.error).toEqual({ type: 'QualityBelowThreshold', message: 'Quality below threshold' });
  expect(broken[0]?.attempts).toBe(1);

  await writeFile(join(service.folder, 'broken.csv'), good);
  expect(await tellBackfill(service, id, 'retry')).toBe(202);
  expect(await backfillEnded(service, id)).toMatchObject({ status: 'COMPLETED', rows: 18, round: 2, progress: 1 });
  const [counted] = await readTable(service.dataDir, 'b.broken', 't', COUNTS);
  expect(counted).toEqual({ rows: 18, numbers: 18, days: 6, wrong: 0 });
  expect(await tellBackfill(service, id, 'retry')).toBe(409);
});

test('a backfill, when it is paused, begins nothing until it is resumed; cancelled, it leaves the rest', async () => {
  const sinks = { lake: { type: 'iceberg', from: 'doubled', table: 'b.paused' } };
  await service.register({ ...dailyPipeline(csv, { sinks }), name: 'paused' });
  const id = await startBackfill(service, { ...range, concurrency: 2 }, 'paused');
  await backfillUntil(service, id, ({ counts }) => counts.COMPLETED > 0);
  expect(await tellBackfill(service, id, 'pause')).toBe(202);
  // What a worker was given before may still begin.
  let paused = await backfillUntil(service, id, ({ counts }) => counts.RUNNING === 0);
  for (let given = 0; given < 2; given += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    paused = await backfillUntil(service, id, ({ counts }) => counts.RUNNING === 0);
  }
  expect(paused).toMatchObject({ paused: true, status: 'RUNNING', estimate: null });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const later = await backfillUntil(service, id, () => true);
  expect(later.counts).toEqual(paused.counts);

  expect(await tellBackfill(service, id, 'resume')).toBe(202);
  await backfillUntil(service, id, ({ counts }) => counts.COMPLETED > paused.counts.COMPLETED);
  expect(await tellBackfill(service, id, 'cancel')).toBe(202);
  const ended = await backfillEnded(service, id);
  expect(ended).toMatchObject({ status: 'CANCELLED', reason: 'Cancelled' });
  expect(ended.counts.CANCELLED).toBeGreaterThan(0);
  expect(ended.counts.COMPLETED + ended.counts.CANCELLED).toBe(DAYS);
  expect(await tellBackfill(service, id, 'pause')).toBe(409);

  expect(await tellBackfill(service, id, 'retry')).toBe(202);
  expect(await backfillEnded(service, id)).toMatchObject({ status: 'COMPLETED', rows: DAYS * 3 });
  const [counted] = await readTable(service.dataDir, 'b.paused', 't', COUNTS);
  expect(counted).toEqual(whole);
});

test('a small backfill, when a large one of higher priority has more at work than there are slots, takes its turns beside it', async () => {
  for (const [name, priority] of [
    ['many', 'HIGH'],
    ['few', 'LOW'],
  ] as const) {
    const path = join(service.folder, name, '${interval_start}.csv');
    const sinks = { out: { type: 'file', from: 'doubled', path, format: 'csv' } };
    await service.register({ ...dailyPipeline(csv, { sinks, orchestration: { priority } }), name });
  }
  const many = await startBackfill(service, { start: dayOf(0), end: dayOf(3000), concurrency: 100 }, 'many');
  const { counts: before } = await backfillUntil(service, many, ({ counts }) => counts.COMPLETED >= 20);
  const few = await startBackfill(service, { start: dayOf(0), end: dayOf(5), concurrency: 1 }, 'few');
  expect(await backfillEnded(service, few)).toMatchObject({ status: 'COMPLETED', rows: 15 });
  const { counts: after, status } = await backfillUntil(service, many, () => true);
  expect(status).toBe('RUNNING');
  // One after another it would be behind about a hundred others each time.
  expect(after.COMPLETED - before.COMPLETED).toBeLessThan(300);
  expect(await tellBackfill(service, many, 'cancel')).toBe(202);
  expect(await backfillEnded(service, many)).toMatchObject({ status: 'CANCELLED' });
});
