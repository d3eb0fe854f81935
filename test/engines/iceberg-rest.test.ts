import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ProxyHooks } from '../support/killing-proxy.ts';
import { parseTableIdentifier } from '../../src/engines/iceberg/catalog.ts';
import type { ModelledTable } from './lakehouse.ts';
import { expectMigrated, expectRestored, expectTypesRestored } from './iceberg-migrations.ts';
import { isCommit, openRestLakehouse, type RestLakehouse } from './iceberg-rest-lakehouse.ts';
import { upkeepOf } from './upkeep.ts';
import { startWriter } from './writers.ts';

let rest: RestLakehouse;
beforeAll(async () => {
  rest = await openRestLakehouse();
}, 600_000);
afterEach(() => {
  rest.proxy.hooks = {};
});
afterAll(() => rest.close());

/** Rows with keys from..to, in the partition that the hundreds of the key say. */
function rows(from: number, to: number, note: string): string {
  return `SELECT i::BIGINT AS k, (i // 100)::INTEGER AS part, '${note} ' || i AS note FROM range(${from}, ${to}) AS r(i)`;
}

const commits = (): number => rest.proxy.answered.filter(({ request }) => isCommit(request)).length;

/** The answer to the next commit is lost. */
function lostOnce(): ProxyHooks {
  let lost = 0;
  return { onAnswer: (request) => (isCommit(request) && lost++ === 0 ? 'cut' : undefined) };
}

/** As many snapshots as loads, each named after its own. */
async function expectOneSnapshotEach(table: ModelledTable): Promise<void> {
  await table.expectSound();
  const history = await rest.lakehouse.judge.history(table.name);
  expect(history.map(({ summary }) => summary['pipeline.load-id'])).toEqual(
    table.loads.map(({ loadName }) => loadName),
  );
}

describe("loads through Apache Iceberg's REST catalog, as pyiceberg and Spark 4.1 read what they commit", () => {
  test('every mode, when one follows the other, is one snapshot on top of the last, committed by one request', async () => {
    const table = rest.lakehouse.table('modes.deep.all');
    const before = commits();
    await table.load({ sql: rows(0, 300, 'a'), partitionBy: ['part'] });
    await table.load({ sql: rows(50, 150, 'b') });
    await table.load({ sql: rows(100, 120, 'c'), mode: 'overwrite_partition' });
    await table.load({ sql: rows(290, 310, 'd'), mode: 'merge', mergeKeys: ['k'] });
    await table.load({ sql: rows(0, 10, 'e'), mode: 'overwrite' });
    expect(commits() - before).toBe(5);
    expect(rest.proxy.answered.filter(({ request }) => request.path.includes('transactions'))).toEqual([]);
    await expectOneSnapshotEach(table);
    await table.expectTimeTravel();
  });

  test('a table, when partitioned by every transform, is made as the catalog numbers it', async () => {
    const table = rest.lakehouse.table('modes.transforms');
    const sql = `SELECT i AS k, 's' || i AS s, DATE '2024-01-01' + i::INTEGER AS d,
                 TIMESTAMPTZ '2024-01-01 00:00:00+00' + INTERVAL (i) HOUR AS t FROM range(40) r(i)`;
    await table.load({ sql, partitionBy: ['bucket(4, k)', 'truncate(2, s)', 'month(d)', 'day(t)'] });
    await table.load({ sql });
    await expectOneSnapshotEach(table);
  });

  test('new columns, when add_columns is not asked for, are refused; when it is, are null in older rows', async () => {
    const table = rest.lakehouse.table('evolve.added');
    await table.load({ sql: `SELECT 1::INTEGER AS k, {a: 1} AS st` });
    const wider = `SELECT 2::BIGINT AS k, {a: 2, b: 'two'} AS st, 'first' AS new`;
    await expect(table.write({ sql: wider })).rejects.toMatchObject({ type: 'SchemaConflictError' });
    await table.write({ sql: wider, schemaEvolution: 'add_columns' });
    await table.alterModel(
      `CREATE OR REPLACE TABLE ${table.model} AS
       SELECT 1::BIGINT AS k, {a: 1, b: NULL::VARCHAR} AS st, NULL::VARCHAR AS new UNION ALL ${wider}`,
    );
    await table.expectSound();
  });

  test('a load, when its name was committed before, commits nothing', async () => {
    const table = rest.lakehouse.table('modes.again');
    const load = { sql: rows(0, 30, 'first'), loadName: 'again/out' };
    const first = await table.load(load);
    const before = commits();
    expect(await table.write(load)).toMatchObject({ alreadyCommitted: true, snapshotId: first.snapshotId });
    expect(commits()).toBe(before);
    await expectOneSnapshotEach(table);
  });

  test('a table, when it is compacted and expired, and answers get lost, is one commit each, with the same rows', async () => {
    const table = rest.lakehouse.table('modes.kept');
    for (const at of [0, 1, 2]) await table.load({ sql: rows(at * 10, at * 10 + 10, `load ${at}`) });
    const upkeep = upkeepOf(rest.lakehouse, table.name);
    const before = commits();
    rest.proxy.hooks = lostOnce();
    const compacted = await upkeep.compact('m-1');
    expect(compacted).toMatchObject({ rewrittenFiles: 3, addedFiles: 1 });
    rest.proxy.hooks = lostOnce();
    expect(await upkeep.expire('m-2')).toMatchObject({ snapshots: 3, deletedFiles: 9 });
    rest.proxy.hooks = {};
    expect(await upkeep.expire('m-2')).toMatchObject({ snapshots: 3, deletedFiles: 0 });
    expect(await upkeep.compact('m-1')).toEqual(compacted);
    expect(commits() - before).toBe(2);
    expect((await rest.lakehouse.judge.history(table.name)).map(({ operation }) => operation)).toEqual(['replace']);
    // Metadata files that the log has forgotten aside, nothing is left over.
    expect(await upkeep.removeOrphans(4)).not.toHaveProperty('unsure');
    const again = await table.write({ sql: rows(0, 1, 'never'), loadName: table.loads[0]?.loadName ?? '' });
    expect(again).toMatchObject({ alreadyCommitted: true });
    await table.expectSound([]);
  });

  test('partitions of a backfill, when snapshots on the way are forgotten, are still known and read as ever', async () => {
    const table = rest.lakehouse.table('modes.backfill');
    const load = (day: number) => {
      const iso = (n: number) => `2024-03-0${n}T00:00:00+00:00`;
      const interval = { column: 'd', startIso: iso(day), endIso: iso(day + 1) };
      const sql = `SELECT DATE '2024-03-0${day}' AS d, i AS k FROM range(${day}) AS r(i)`;
      return table.load({ sql, loadName: `backfill.1/${iso(day)}/out`, interval, partitionBy: ['month(d)'] });
    };
    for (const day of [2, 1, 4, 3]) await load(day);
    const gone = table.loads.splice(1, 2).map(({ snapshotId }) => BigInt(snapshotId));
    const forget = { action: 'remove-snapshots' as const, 'snapshot-ids': gone };
    await rest.lakehouse.catalog.commitTable(parseTableIdentifier(table.name), [], [forget]);
    await expectOneSnapshotEach(table);
    await table.expectTimeTravel();
    const before = commits();
    expect(await load(1)).toMatchObject({ alreadyCommitted: true });
    expect(commits()).toBe(before);
  });

  test('a name, when Spark made a view of it, is refused in words', async () => {
    const table = rest.lakehouse.table('modes.viewed');
    await table.load({ sql: rows(0, 1, 'x') });
    await rest.lakehouse.judge.sql(`CREATE VIEW matih.modes.a_view AS SELECT * FROM matih.${table.name}`);
    await expect(rest.lakehouse.table('modes.a_view').write({ sql: rows(0, 1, 'never') })).rejects.toMatchObject({
      name: 'EngineError',
      retryable: false,
      message: expect.stringMatching(/view/i) as string,
    });
  });
});

describe('writers at one REST catalog, as pyiceberg and Spark 4.1 read what they leave', () => {
  test('eight processes, when all make the table and then load at once, lose nothing and double nothing', async () => {
    const table = rest.lakehouse.table('race.many');
    const loads = Array.from({ length: 8 }, (_, writer) =>
      Array.from({ length: 5 }, (_, at) => {
        const loadName = `writer-${writer}-${at}/out`;
        return { loadName, sql: `SELECT '${loadName}' AS load, i, i AS part FROM range(3) AS r(i)` };
      }),
    );
    const { folder } = rest.lakehouse;
    const writers = [];
    for (const own of loads) {
      const ordered = [];
      for (const { loadName, sql } of own) {
        ordered.push({ loadName, mode: 'append' as const, mergeKeys: [], input: await rest.lakehouse.dataset(sql) });
      }
      writers.push(
        startWriter({
          ...{ catalogFile: '', warehouse: '', restUri: rest.proxy.url, table: table.name, partitionBy: ['part'] },
          spillFolder: path.join(folder, `spill-${rest.lakehouse.next()}`),
          loads: ordered,
        }),
      );
    }
    for (const writer of writers) expect(await writer.ended).toEqual({ code: 0, signal: null, said: '' });
    for (const { sql } of loads.flat()) await table.apply({ sql });
    const history = await rest.lakehouse.judge.history(table.name);
    await table.expectSound(history.map(({ snapshotId }) => snapshotId));
    expect(history.map(({ summary }) => summary['pipeline.load-id']).sort()).toEqual(
      loads
        .flat()
        .map(({ loadName }) => loadName)
        .sort(),
    );
    expect(await rest.lakehouse.judge.unreferenced(table.name)).toEqual([]);
  });
});

/** What may become of a commit that the catalog carries out, or of one that never gets there. */
const fates = [
  { fate: 'the connection is cut', reaction: 'cut' },
  {
    fate: '500 is answered',
    reaction: { status: 500, body: '{"error":{"message":"oops","type":"CommitStateUnknownException","code":500}}' },
  },
  { fate: '504 is answered by a gateway', reaction: { status: 504, body: '<html>Gateway Timeout</html>' } },
  { fate: '200 is answered without a word of it', reaction: { status: 200, body: '{"metad' } },
] as const;

describe('a commit whose outcome nobody is told', () => {
  test.for(fates)('when it was carried out and $fate, is found and not made again', async ({ fate, reaction }) => {
    const table = rest.lakehouse.table(`unknown.after_${fates.findIndex((one) => one.fate === fate)}`);
    for (const sql of [rows(0, 10, 'first'), rows(10, 20, 'second')]) {
      let lost = 0;
      rest.proxy.hooks = { onAnswer: (request) => (isCommit(request) && lost++ === 0 ? reaction : undefined) };
      const result = await table.load({ sql });
      expect(result).toMatchObject({ alreadyCommitted: false, rows: 10, commitAttempts: 1 });
    }
    await expectOneSnapshotEach(table);
    expect(await rest.lakehouse.judge.unreferenced(table.name)).toEqual([]);
  });

  test.for(fates)('when it was not carried out and $fate, is made once more', async ({ fate, reaction }) => {
    const table = rest.lakehouse.table(`unknown.before_${fates.findIndex((one) => one.fate === fate)}`);
    for (const sql of [rows(0, 10, 'first'), rows(10, 20, 'second')]) {
      let lost = 0;
      rest.proxy.hooks = { onRequest: (request) => (isCommit(request) && lost++ === 0 ? reaction : undefined) };
      expect(await table.load({ sql })).toMatchObject({ alreadyCommitted: false, rows: 10, commitAttempts: 2 });
    }
    await expectOneSnapshotEach(table);
  });

  test('when it is carried out only after the load was looked up and committed again, happens once', async () => {
    const table = rest.lakehouse.table('unknown.late');
    await table.load({ sql: rows(0, 10, 'first') });
    const held: { method: string; path: string; body: string }[] = [];
    rest.proxy.hooks = {
      onRequest: async (request) => {
        if (!isCommit(request)) return undefined;
        if (held.length === 0) {
          held.push(request);
          return 'cut';
        }
        const [late] = held;
        if (late === undefined || held.length > 1) return undefined;
        held.push(request);
        const answer = await fetch(rest.server.url + late.path, {
          method: late.method,
          headers: { 'content-type': 'application/json' },
          body: late.body,
        });
        expect(answer.status).toBe(200);
        return undefined;
      },
    };
    expect(await table.load({ sql: rows(10, 20, 'second') })).toMatchObject({ alreadyCommitted: false, rows: 10 });
    expect(held).toHaveLength(2);
    await expectOneSnapshotEach(table);
  });

  test('when the catalog does not say either afterwards, fails for now; the next attempt finds it', async () => {
    const table = rest.lakehouse.table('unknown.silent');
    await table.load({ sql: rows(0, 10, 'first') });
    let silent = false;
    rest.proxy.hooks = {
      onRequest: () => (silent ? 'cut' : undefined),
      onAnswer: (request) => {
        if (isCommit(request)) silent = true;
        return silent ? 'cut' : undefined;
      },
    };
    const load = { sql: rows(10, 20, 'second'), loadName: 'silent/out' };
    await expect(table.write(load)).rejects.toMatchObject({ type: 'UnavailableError' });
    rest.proxy.hooks = {};
    const before = commits();
    expect(await table.write(load)).toMatchObject({ alreadyCommitted: true, rows: 10 });
    expect(commits()).toBe(before);
    await table.apply(load);
    const history = await rest.lakehouse.judge.history(table.name);
    expect(history).toHaveLength(2);
    await table.expectSound(history.map(({ snapshotId }) => snapshotId));
  });
});

describe('a REST catalog that is away', () => {
  test('a load, when the catalog is away and back, fails for now without a trace, and then commits once', async () => {
    const table = rest.lakehouse.table('away.back');
    await table.load({ sql: rows(0, 10, 'first') });
    await rest.server.stop();
    const load = { sql: rows(10, 20, 'second') };
    await expect(table.write(load)).rejects.toMatchObject({ type: 'UnavailableError', retryable: true });
    await rest.server.start();
    await table.load(load);
    await expectOneSnapshotEach(table);
  });

  test('a load, when the catalog is killed between its answer to one question and the commit, commits once', async () => {
    const table = rest.lakehouse.table('away.during');
    await table.load({ sql: rows(0, 10, 'first') });
    let killed = false;
    rest.proxy.hooks = {
      onRequest: async (request) => {
        if (!isCommit(request) || killed) return undefined;
        killed = true;
        await rest.server.stop();
        void sleep(500).then(() => rest.server.start());
        return undefined;
      },
    };
    const load = { sql: rows(10, 20, 'second'), loadName: 'killed/out' };
    // As Temporal tries it again.
    for (let attempt = 1; ; attempt += 1) {
      try {
        await table.load(load);
        break;
      } catch (error) {
        expect(error).toMatchObject({ type: 'UnavailableError' });
        if (attempt === 20) throw error;
        await sleep(500);
      }
    }
    await expectOneSnapshotEach(table);
  });
});

describe("schema migrations through Apache Iceberg's REST catalog, as pyiceberg and Spark 4.1 read and write around them", () => {
  test('when the changes stay, the rows are read under the new schema and both write on', async () => {
    await expectMigrated(rest.lakehouse, 'migrated.kept');
  });

  test('when the table is restored, it is as before, with the rows that both wrote meanwhile', async () => {
    await expectRestored(rest.lakehouse, 'migrated.restored');
  });

  test('when types were widened, they are restored with what both wrote in the wider ones, unless it does not fit', async () => {
    await expectTypesRestored(rest.lakehouse, 'migrated.types');
  });

  test("when a commit's answer is lost, it is found by its name and made once", async () => {
    const commitsBefore = commits();
    let lost = 0;
    rest.proxy.hooks = { onAnswer: (request) => (isCommit(request) && lost++ % 2 === 1 ? 'cut' : undefined) };
    await expectRestored(rest.lakehouse, 'migrated.lost');
    expect(commits() - commitsBefore).toBeGreaterThan(0);
  });
});
