import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lakehouse, type ModelledTable } from './lakehouse.ts';
import { startWriter, type Writer } from './writers.ts';

const PROCESSES = 8;
const LOADS_EACH = 25;
const ROWS_EACH = 3;

let lakehouse: Lakehouse;
beforeAll(async () => {
  lakehouse = await Lakehouse.open();
});
afterAll(() => lakehouse.close());

type Loads = { loadName: string; sql: string; mode?: Mode }[];
type Mode = 'append' | 'overwrite_partition' | 'merge';

/** Rows that name their load, in three partitions. */
function loadsOf(writer: string, count: number): Loads {
  return Array.from({ length: count }, (_, at) => {
    const loadName = `${writer}-${at}/out`;
    return { loadName, sql: `SELECT '${loadName}' AS load, i, i AS part FROM range(${ROWS_EACH}) AS r(i)` };
  });
}

async function start(
  table: ModelledTable,
  loads: Loads,
  partitionBy = ['part'],
  variables: Record<string, string> = {},
): Promise<Writer> {
  const ordered = [];
  for (const { loadName, sql, mode = 'append' } of loads) {
    ordered.push({ loadName, mode, mergeKeys: mode === 'merge' ? ['k'] : [], input: await lakehouse.dataset(sql) });
  }
  const orders = {
    catalogFile: path.join(lakehouse.folder, 'catalog.db'),
    warehouse: path.join(lakehouse.folder, 'warehouse'),
    spillFolder: path.join(lakehouse.folder, `spill-${lakehouse.next()}`),
  };
  return startWriter({ ...orders, table: table.name, partitionBy, loads: ordered }, variables);
}

/** Each load is in the table once, in both readers' eyes, in one snapshot that is named after it. */
async function expectEachOnce(table: ModelledTable, loads: Loads): Promise<void> {
  for (const { sql } of loads) await table.apply({ sql });
  const history = await lakehouse.judge.history(table.name);
  await table.expectSound(history.map(({ snapshotId }) => snapshotId));
  expect(history).toHaveLength(loads.length);
  const named = history.map(({ summary }) => loads.find((load) => Object.values(summary).includes(load.loadName)));
  expect(new Set(named)).toEqual(new Set(loads));
  expect(history.map(({ parentId }) => parentId)).toEqual([
    null,
    ...history.slice(0, -1).map(({ snapshotId }) => snapshotId),
  ]);
}

describe('a writer in another time zone, as pyiceberg and Spark 4.1 read what it leaves', () => {
  test('timestamps with time zone, when partitioned by hour and day, are in the partitions of UTC', async () => {
    const table = lakehouse.table('zone.hours');
    const sql = `SELECT TIMESTAMPTZ '2024-03-10 00:00:00+00' + INTERVAL (i) MINUTE AS z, TIMESTAMP '2024-03-10' + INTERVAL (i) MINUTE AS n
                 FROM range(0, 3000, 30) r(i)`;
    const writer = await start(table, [{ loadName: 'zone/out', sql }], ['hour(z)', 'day(n)'], {
      TZ: 'America/New_York',
    });
    expect(await writer.ended).toEqual({ code: 0, signal: null, said: '' });
    await table.apply({ sql });
    const history = await lakehouse.judge.history(table.name);
    await table.expectSound(history.map(({ snapshotId }) => snapshotId));
  });
});

describe('writers of one table, as pyiceberg and Spark 4.1 read what they leave', () => {
  test(
    `${PROCESSES} processes, when each commits ${LOADS_EACH} loads at once, lose none and rewrite no data file`,
    { timeout: 240_000 },
    async () => {
      const table = lakehouse.table('race.many');
      const loads = Array.from({ length: PROCESSES }, (_, at) => loadsOf(`writer-${at}`, LOADS_EACH));
      const writers = [];
      for (const each of loads) writers.push(await start(table, each));
      for (const writer of writers) expect(await writer.ended).toEqual({ code: 0, signal: null, said: '' });
      await expectEachOnce(table, loads.flat());
      expect(await lakehouse.judge.unreferenced(table.name)).toEqual([]);
    },
  );

  test('two processes, when both make the table with the first load, both have their rows in it', async () => {
    const table = lakehouse.table('race.first');
    const loads = ['one', 'other'].map((name) => loadsOf(name, 1));
    const writers = await Promise.all(loads.map((each) => start(table, each)));
    for (const writer of writers) expect(await writer.ended).toEqual({ code: 0, signal: null, said: '' });
    await expectEachOnce(table, loads.flat());
  });

  test('two processes, when they carry out the same loads at once, commit each load once', async () => {
    const table = lakehouse.table('race.twins');
    const loads = loadsOf('twin', 15);
    const writers = await Promise.all([start(table, loads), start(table, loads)]);
    for (const writer of writers) expect(await writer.ended).toEqual({ code: 0, signal: null, said: '' });
    await expectEachOnce(table, loads);
  });

  test('four processes, when each merges its own keys into files that all share, lose no change of any', async () => {
    const table = lakehouse.table('race.merges');
    await table.load({ sql: `SELECT i AS k, 'never merged' AS note FROM range(40) r(i)` });
    const loads = [0, 1, 2, 3].map((writer) =>
      Array.from({ length: 6 }, (_, at) => ({
        ...{ loadName: `merge-${writer}-${at}/out`, mode: 'merge' as const },
        sql: `SELECT i AS k, 'merge ${at} of ${writer}' AS note FROM range(${writer}, 44, 4) r(i)`,
      })),
    );
    const writers = await Promise.all(loads.map((each) => start(table, each, [])));
    for (const writer of writers) expect(await writer.ended).toEqual({ code: 0, signal: null, said: '' });
    for (const { sql } of loads.flat()) await table.apply({ sql, mode: 'merge', mergeKeys: ['k'] });
    const history = await lakehouse.judge.history(table.name);
    expect(history).toHaveLength(1 + 24);
    await table.expectSound(history.map(({ snapshotId }) => snapshotId));
    expect(await lakehouse.judge.unreferenced(table.name)).toEqual([]);
  });

  test('three processes, when two replace partitions of their own and one appends, lose no change of any', async () => {
    const table = lakehouse.table('race.partitions');
    const load = (writer: string, part: number, at: number, mode: Mode): Loads[number] => ({
      ...{ loadName: `${writer}-${at}/out`, mode },
      sql: `SELECT ${part} AS part, '${writer} ${at}' AS note FROM range(5)`,
    });
    const numbers = Array.from({ length: 8 }, (_, at) => at);
    const loads = [
      numbers.map((at) => load('one', 1, at, 'overwrite_partition')),
      numbers.map((at) => load('two', 2, at, 'overwrite_partition')),
      numbers.map((at) => load('three', 3, at, 'append')),
    ];
    const writers = await Promise.all(loads.map((each) => start(table, each)));
    for (const writer of writers) expect(await writer.ended).toEqual({ code: 0, signal: null, said: '' });
    const lasting = [...loads.slice(0, 2).flatMap((each) => each.slice(-1)), ...(loads[2] ?? [])];
    for (const { sql } of lasting) await table.apply({ sql });
    const history = await lakehouse.judge.history(table.name);
    expect(history).toHaveLength(24);
    await table.expectSound(history.map(({ snapshotId }) => snapshotId));
  });

  test.for([1, 2, 3, 4, 5, 6])(
    'a writer, when it gets SIGKILL in mid-load beside another (moment %i), leaves a table whose loads are each there once',
    async (moment) => {
      const table = lakehouse.table(`race.killed_${moment}`);
      const [killed, other] = [loadsOf('killed', 12), loadsOf('other', 12)];
      const [victim, witness] = await Promise.all([start(table, killed), start(table, other)]);
      // Once it has begun to commit, at a moment that differs from case to case and from run to run.
      await until(() => victim.committed.length >= moment);
      await sleep(Math.random() * 60);
      victim.kill();
      expect((await victim.ended).signal).toBe('SIGKILL');
      // As a worker's successor would: all loads of the lost one again, those that were committed too.
      const successor = await start(table, killed);
      for (const writer of [witness, successor])
        expect(await writer.ended).toEqual({ code: 0, signal: null, said: '' });
      await expectEachOnce(table, [...killed, ...other]);
    },
  );
});

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error('waited for a minute in vain');
    await sleep(2);
  }
}
