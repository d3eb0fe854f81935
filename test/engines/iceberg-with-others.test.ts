import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectDeletesRestored, expectMigrated, expectRestored, expectTypesRestored } from './iceberg-migrations.ts';
import { READERS } from './judge.ts';
import { parseTableIdentifier } from '../../src/engines/iceberg/catalog.ts';
import { Lakehouse, type ModelledTable } from './lakehouse.ts';
import { upkeepOf } from './upkeep.ts';
import { startWriter } from './writers.ts';

let lakehouse: Lakehouse;
beforeAll(async () => {
  lakehouse = await Lakehouse.open();
});
afterAll(() => lakehouse.close());

/** Rows with keys from..to, in the partition that the tens of the key say. */
function rows(from: number, to: number, note: string): string {
  return `SELECT i::BIGINT AS k, (i // 10)::INTEGER AS part, '${note} ' || i AS note FROM range(${from}, ${to}) AS r(i)`;
}

/** The same statement on the table by Spark and on the model by DuckDB. */
async function inSpark(table: ModelledTable, statement: (name: string) => string): Promise<void> {
  await lakehouse.judge.sql(statement(`matih.${table.name}`));
  await table.alterModel(statement(table.model));
}

/** A procedure of Iceberg in Spark. */
async function call(table: ModelledTable, procedure: string, options = ''): Promise<void> {
  await lakehouse.judge.sql(`CALL matih.system.${procedure}(table => '${table.name}'${options})`);
}

/** A load in every mode, and that both readers agree after each. */
async function expectEveryModeWorks(table: ModelledTable): Promise<void> {
  await table.load({ sql: rows(5, 15, 'appended by us') });
  await table.load({ sql: rows(10, 12, 'in place by us'), mode: 'overwrite_partition' });
  await table.expectSound();
  await table.load({ sql: rows(18, 24, 'merged by us'), mode: 'merge', mergeKeys: ['k'] });
  await table.expectSound();
  await table.load({ sql: rows(0, 50, 'all by us'), mode: 'overwrite' });
  await table.expectSound();
}

async function partitioned(name: string): Promise<ModelledTable> {
  const table = lakehouse.table(`others.${name}`);
  await table.load({ sql: rows(0, 50, 'ours'), partitionBy: ['part'] });
  return table;
}

describe('a table of ours that Spark 4.1 writes to, as pyiceberg and Spark read it afterwards', () => {
  test('every mode, when Spark inserted, updated and deleted by rewriting files, works on top of it', async () => {
    const table = await partitioned('spark_writes');
    await inSpark(
      table,
      (name) => `INSERT INTO ${name} VALUES (100, 10, 'by Spark'), (101, 10, NULL), (NULL, NULL, 'é')`,
    );
    await inSpark(table, (name) => `DELETE FROM ${name} WHERE k BETWEEN 13 AND 16`);
    await inSpark(table, (name) => `UPDATE ${name} SET note = 'updated' WHERE k = 21`);
    await table.expectSound();
    await expectEveryModeWorks(table);
    await table.expectTimeTravel();
  });

  test('a table, when the service compacted it, expired it and removed orphans, has the same rows; every mode works on top', async () => {
    const table = lakehouse.table('others.kept');
    const upkeep = upkeepOf(lakehouse, table.name);
    for (let at = 0; at < 4; at += 1) {
      await table.load({ sql: rows(at * 5, at * 5 + 10, `load ${at}`), partitionBy: ['part'] });
    }
    await inSpark(table, (name) => `INSERT INTO ${name} VALUES (100, 1, 'by Spark'), (NULL, NULL, 'é')`);
    await lakehouse.judge.sql(`ALTER TABLE matih.${table.name} CREATE TAG audit`);
    const tagged = await table.expected();
    const compacted = await upkeep.compact('m-1');
    expect(compacted.rewrittenFiles).toBeGreaterThan(compacted.addedFiles);
    expect((await lakehouse.judge.history(table.name)).at(-1)).toMatchObject({
      operation: 'replace',
      summary: { 'pipeline.maintenance-id': 'm-1' },
    });
    await table.expectSound([...table.loads.map(({ snapshotId }) => snapshotId), compacted.snapshotId ?? '']);
    await table.load({ sql: rows(0, 5, 'replaced'), mode: 'overwrite_partition' });
    expect((await upkeep.expire()).snapshots).toBeGreaterThan(3);
    expect(await upkeep.removeOrphans(4)).not.toHaveProperty('unsure');
    expect(await upkeep.removeOrphans(4)).toEqual({ deletedFiles: 0, deletedBytes: 0 });
    const [[snapshotId] = []] = await lakehouse.judge.sql(
      `SELECT snapshot_id FROM matih.${table.name}.refs WHERE name = 'audit'`,
    );
    for (const reader of READERS) {
      const question = { table: table.name, expected: tagged, snapshotId: snapshotId ?? '' };
      expect((await lakehouse.judge.rows(reader, question)).difference, reader).toBeNull();
    }
    await table.expectSound([]);
    await expectEveryModeWorks(table);
  });

  test('every mode, when Spark compacted data files and manifests, works on top of it', async () => {
    const table = lakehouse.table('others.compacted');
    for (let at = 0; at < 6; at += 1) {
      await table.load({ sql: rows(at * 5, at * 5 + 10, `load ${at}`), partitionBy: ['part'] });
    }
    await call(table, 'rewrite_data_files', `, options => map('rewrite-all', 'true')`);
    await call(table, 'rewrite_manifests');
    const [[count] = []] = await lakehouse.judge.sql(`SELECT count(*) FROM matih.${table.name}.files`);
    expect(Number(count)).toBe(4);
    await table.expectSound();
    await expectEveryModeWorks(table);
  });

  test('a table, when Spark left delete files, takes appends, refuses to replace in words, and takes all once compacted', async () => {
    const table = await partitioned('delete_files');
    await lakehouse.judge.sql(
      `ALTER TABLE matih.${table.name} SET TBLPROPERTIES ('write.delete.mode' = 'merge-on-read')`,
    );
    await inSpark(table, (name) => `DELETE FROM ${name} WHERE k IN (3, 14, 25)`);
    const [[deletes] = []] = await lakehouse.judge.sql(`SELECT count(*) FROM matih.${table.name}.delete_files`);
    expect(Number(deletes)).toBeGreaterThan(0);

    // Rows with the deleted keys: those deletes are older than this load and must not touch it.
    await table.load({ sql: rows(0, 20, 'appended by us') });
    await table.expectSound();
    for (const mode of ['overwrite', 'overwrite_partition', 'merge'] as const) {
      await expect(table.write({ sql: rows(0, 5, 'never'), mode, mergeKeys: ['k'] })).rejects.toMatchObject({
        type: 'UnsupportedError',
        message: expect.stringContaining('delete files') as string,
      });
    }
    await table.expectSound();

    await call(
      table,
      'rewrite_data_files',
      `, options => map('rewrite-all', 'true', 'remove-dangling-deletes', 'true')`,
    );
    await call(table, 'rewrite_position_delete_files', `, options => map('rewrite-all', 'true')`);
    await table.expectSound();
    await expectEveryModeWorks(table);
  });

  test('a load, when Spark expired the snapshot that it made, is still known and commits nothing', async () => {
    const table = await partitioned('expired');
    const load = { sql: rows(60, 70, 'once'), loadName: 'expired-run/out' };
    const first = await table.load(load);
    await table.load({ sql: rows(70, 80, 'later') });
    await call(table, 'expire_snapshots', `, older_than => TIMESTAMP '2100-01-01', retain_last => 1`);
    expect(await lakehouse.judge.history(table.name)).toHaveLength(1);
    const again = await table.load(load);
    expect(again).toMatchObject({ alreadyCommitted: true, snapshotId: first.snapshotId, rows: 10 });
    expect(await lakehouse.judge.history(table.name)).toHaveLength(1);
    table.loads.splice(0, 2);
    await table.expectSound();
    await expectEveryModeWorks(table);
  });

  test('every mode, when Spark tagged and branched the table, moves main and leaves tag and branch where they are', async () => {
    const table = await partitioned('branched');
    await lakehouse.judge.sql(`ALTER TABLE matih.${table.name} CREATE TAG kept`);
    await lakehouse.judge.sql(`ALTER TABLE matih.${table.name} CREATE BRANCH audit`);
    await lakehouse.judge.sql(`INSERT INTO matih.${table.name}.branch_audit VALUES (1000, 100, 'on the branch')`);
    await expectEveryModeWorks(table);
    for (const [ref, count] of [
      ['kept', '50'],
      ['audit', '51'],
    ]) {
      expect(
        await lakehouse.judge.sql(`SELECT count(*) FROM matih.${table.name} VERSION AS OF '${ref ?? ''}'`),
      ).toEqual([[count]]);
    }
  });

  test('loads, when Spark added, renamed, reordered and dropped columns, go by the names of now', async () => {
    const table = await partitioned('altered');
    const alter = (change: string): Promise<unknown> =>
      lakehouse.judge.sql(`ALTER TABLE matih.${table.name} ${change}`);
    await alter('ADD COLUMN extra DOUBLE');
    await alter('RENAME COLUMN note TO remark');
    await alter('ALTER COLUMN remark FIRST');
    await table.alterModel(
      `CREATE OR REPLACE TABLE ${table.model} AS SELECT note AS remark, k, part, NULL::DOUBLE AS extra FROM ${table.model}`,
    );
    const next = (note: string): string =>
      `SELECT k, part, '${note}' AS remark, k * 0.5::DOUBLE AS extra FROM (${rows(45, 55, '')})`;
    await table.load({ sql: next('after the rename') });
    await table.load({ sql: next('merged'), mode: 'merge', mergeKeys: ['k'] });
    await table.expectSound();
    await alter('DROP COLUMN extra');
    await table.alterModel(`ALTER TABLE ${table.model} DROP COLUMN extra`);
    await expect(table.write({ sql: next('never') })).rejects.toMatchObject({ type: 'SchemaConflictError' });
    await table.load({ sql: `SELECT k, part, remark FROM (${next('without')})`, mode: 'merge', mergeKeys: ['k'] });
    await table.expectSound();
  });

  test('every mode, when Spark changed the partitioning again and again, works on the files of all specs', async () => {
    const table = await partitioned('respec');
    const alter = (change: string): Promise<unknown> =>
      lakehouse.judge.sql(`ALTER TABLE matih.${table.name} ${change}`);
    await alter('ADD PARTITION FIELD bucket(4, k)');
    // As a pipeline that says how it is partitioned now.
    await table.load({ sql: rows(0, 20, 'into the new spec'), partitionBy: ['part', 'bucket(4, k)'] });
    await table.load({ sql: rows(30, 33, 'in place'), mode: 'overwrite_partition' });
    await table.expectSound();
    await alter('DROP PARTITION FIELD part');
    await table.load({
      sql: rows(12, 14, 'in place, too'),
      mode: 'overwrite_partition',
      partitionBy: ['bucket(4, k)'],
    });
    await table.load({ sql: rows(33, 43, 'merged'), mode: 'merge', mergeKeys: ['k'] });
    await table.expectSound();
    await alter('REPLACE PARTITION FIELD bucket(4, k) WITH truncate(7, note)');
    await inSpark(table, (name) => `INSERT INTO ${name} VALUES (100, 10, 'by Spark'), (NULL, NULL, NULL)`);
    await table.load({
      sql: rows(0, 2, 'in place, too'),
      mode: 'overwrite_partition',
      partitionBy: ['truncate(7, note)'],
    });
    await table.expectSound();
    await inSpark(table, (name) => `DELETE FROM ${name} WHERE k % 9 = 4`);
    await call(table, 'rewrite_manifests');
    await expectEveryModeWorks(table);
    await table.expectTimeTravel();
  });

  test('intervals, when Spark changed what the table is partitioned by and what its columns are, are all that changes', async () => {
    const table = lakehouse.table('others.evolved');
    const days = (from: number, to: number, note: string): string =>
      `SELECT DATE '2024-01-01' + i::INTEGER AS d, (i % 3)::INTEGER AS n, i::FLOAT / 4 AS x, (i / 100)::DECIMAL(5,2) AS price, i::INTEGER AS gone, '${note}' AS note FROM range(${from}, ${to}) AS r(i)`;
    const interval = (from: number, to: number, column: string) => {
      const iso = (day: number) => `${new Date(Date.UTC(2024, 0, 1 + day)).toISOString().slice(0, 10)}T00:00:00+00:00`;
      return { column, startIso: iso(from), endIso: iso(to) };
    };
    const alter = (change: string): Promise<unknown> =>
      lakehouse.judge.sql(`ALTER TABLE matih.${table.name} ${change}`);
    await table.load({ sql: days(0, 60, 'by month'), partitionBy: ['month(d)'] });
    await alter('REPLACE PARTITION FIELD d_month WITH days(d)');
    await alter('ADD PARTITION FIELD gone');
    await table.load({ sql: days(40, 50, 'by day'), partitionBy: ['day(d)', 'gone'] });
    await table.load({ sql: days(44, 46, 'again'), interval: interval(44, 46, 'd') });
    await table.expectSound();
    await alter('DROP PARTITION FIELD gone');
    await alter('DROP COLUMN gone');
    await alter('RENAME COLUMN d TO day');
    await alter('RENAME COLUMN n TO amount');
    await alter('ALTER COLUMN amount TYPE BIGINT');
    await alter('ALTER COLUMN x TYPE DOUBLE');
    await alter('ALTER COLUMN price TYPE DECIMAL(12,2)');
    const evolved = (sql: string) =>
      `SELECT d AS day, n::BIGINT AS amount, x::DOUBLE AS x, price::DECIMAL(12,2) AS price, note FROM (${sql})`;
    await table.alterModel(
      `CREATE OR REPLACE TABLE ${table.model} AS SELECT d AS day, n::BIGINT AS amount, x::DOUBLE AS x, price::DECIMAL(12,2) AS price, note FROM ${table.model}`,
    );
    table.loads.length = 0;
    await table.load({
      sql: evolved(days(30, 32, 'evolved')),
      interval: interval(30, 32, 'day'),
      partitionBy: ['day(day)'],
    });
    await table.load({ sql: evolved(days(42, 43, 'in place')), mode: 'overwrite_partition' });
    await table.expectSound();
    await table.load({
      sql: `${evolved(days(2, 3, 'merged'))} WHERE amount = 2`,
      mode: 'merge',
      mergeKeys: ['amount'],
    });
    await table.load({ sql: evolved(days(10, 20, 'appended')) });
    await table.expectSound();
    await table.expectFiltered({ sql: `day = DATE '2024-02-13'`, pyiceberg: "EqualTo('day', '2024-02-13')" });
    await table.expectTimeTravel();
  });

  test('partitions of a backfill, when manifests are merged and snapshots forgotten on the way, are read as ever', async () => {
    const table = lakehouse.table('others.backfill');
    const day = (n: number) => `2024-03-${String(n).padStart(2, '0')}`;
    const load = async (n: number): Promise<unknown> => {
      const [startIso, endIso] = [`${day(n)}T00:00:00+00:00`, `${day(n + 1)}T00:00:00+00:00`];
      return table.load({
        sql: `SELECT DATE '${day(n)}' AS d, i AS k FROM range(${n}) AS r(i)`,
        loadName: `backfill.1/${startIso}/out`,
        interval: { column: 'd', startIso, endIso },
        partitionBy: ['month(d)'],
      });
    };
    await load(9);
    await lakehouse.judge.sql(
      `ALTER TABLE matih.${table.name} SET TBLPROPERTIES ('commit.manifest.min-count-to-merge' = '3')`,
    );
    for (const n of [3, 5, 4, 7, 6, 8]) await load(n);
    await table.expectSound();
    await table.expectTimeTravel();
    const [[manifests] = []] = await lakehouse.judge.sql(`SELECT count(*) FROM matih.${table.name}.manifests`);
    expect(Number(manifests)).toBeLessThanOrEqual(3);

    const gone = table.loads.splice(1, 4).map(({ snapshotId }) => BigInt(snapshotId));
    await lakehouse.catalog.commitTable(
      parseTableIdentifier(table.name),
      [],
      [{ action: 'remove-snapshots', 'snapshot-ids': gone }],
    );
    await table.expectSound();
    await table.expectTimeTravel();
    expect(await load(5)).toMatchObject({ alreadyCommitted: true });
    await inSpark(table, (name) => `DELETE FROM ${name} WHERE k = 2`);
    await load(10);
    await table.expectSound();
  });

  test('a table, when Spark dropped it, is made anew by the next load', async () => {
    const table = await partitioned('dropped');
    await lakehouse.judge.sql(`DROP TABLE matih.${table.name} PURGE`);
    await table.alterModel(`DROP TABLE ${table.model}`);
    table.loads.length = 0;
    await table.load({ sql: `SELECT 'another shape' AS only`, partitionBy: [] });
    await table.expectSound();
  });

  test('a name, when Spark made a view of it, is refused in words', async () => {
    const table = await partitioned('viewed');
    await lakehouse.judge.sql(`CREATE VIEW matih.others.a_view AS SELECT * FROM matih.${table.name}`);
    await expect(lakehouse.table('others.a_view').write({ sql: rows(0, 5, 'never') })).rejects.toMatchObject({
      name: 'EngineError',
      retryable: false,
      message: expect.stringContaining('view') as string,
    });
  });
});

describe('a table that Spark 4.1 made, as pyiceberg and Spark read it afterwards', () => {
  async function madeBySpark(name: string, columns: string, rest = ''): Promise<ModelledTable> {
    const table = lakehouse.table(`made.${name}`);
    await lakehouse.judge.sql('CREATE NAMESPACE IF NOT EXISTS matih.made');
    await lakehouse.judge.sql(`CREATE TABLE matih.${table.name} (${columns}) USING iceberg ${rest}`);
    return table;
  }

  test('every mode, when the table is partitioned and still empty, works', async () => {
    const table = await madeBySpark('empty', 'k BIGINT, part INT, note STRING', 'PARTITIONED BY (part)');
    await table.load({ sql: rows(0, 50, 'ours'), partitionBy: ['part'] });
    await table.expectSound();
    await expectEveryModeWorks(table);
  });

  test('every mode, when its partitions are hidden and it has a write order, works', async () => {
    const table = await madeBySpark(
      'hidden',
      'k BIGINT, part INT, note STRING',
      'PARTITIONED BY (bucket(3, k), truncate(2, note))',
    );
    await lakehouse.judge.sql(`ALTER TABLE matih.${table.name} WRITE ORDERED BY note DESC`);
    await table.apply({ sql: rows(0, 0, '') });
    await inSpark(table, (name) => `INSERT INTO ${name} VALUES (1, 0, 'by Spark'), (2, 0, NULL)`);
    await table.load({ sql: rows(2, 40, 'ours'), partitionBy: ['bucket(3, k)', 'truncate(2, note)'] });
    await table.expectSound();
    await table.load({ sql: rows(30, 60, 'merged'), mode: 'merge', mergeKeys: ['k'] });
    await table.load({ sql: rows(0, 3, 'in place'), mode: 'overwrite_partition' });
    await table.expectSound();
  });

  test('every mode, when it was of version 1 and a partition field was dropped, works', async () => {
    const table = await madeBySpark(
      'void',
      'k BIGINT, part INT, note STRING',
      `PARTITIONED BY (part, truncate(2, note)) TBLPROPERTIES ('format-version' = '1')`,
    );
    await table.apply({ sql: rows(0, 0, '') });
    await inSpark(table, (name) => `INSERT INTO ${name} VALUES (1, 0, 'by Spark'), (2, 0, NULL), (31, 3, 'by Spark')`);
    await lakehouse.judge.sql(`ALTER TABLE matih.${table.name} DROP PARTITION FIELD truncate(2, note)`);
    await lakehouse.judge.sql(`ALTER TABLE matih.${table.name} SET TBLPROPERTIES ('format-version' = '2')`);
    await table.load({ sql: rows(2, 40, 'ours'), partitionBy: ['part'] });
    await table.load({ sql: rows(30, 31, 'in place'), mode: 'overwrite_partition' });
    await table.expectSound();
    await expectEveryModeWorks(table);
  });

  test('a column that must not be null, when the rows have nulls or lack it, is refused; other rows are taken', async () => {
    const table = await madeBySpark('required', 'k BIGINT NOT NULL, note STRING');
    await expect(
      table.write({ sql: `SELECT 1::BIGINT AS k, 'x' AS note UNION ALL SELECT NULL, 'y'` }),
    ).rejects.toMatchObject({
      retryable: false,
    });
    await expect(table.write({ sql: `SELECT 'x' AS note` })).rejects.toMatchObject({ type: 'SchemaConflictError' });
    await table.load({ sql: `SELECT 1::BIGINT AS k, 'x' AS note` });
    await table.expectSound();
  });

  test('a table of format version 3, when loaded in any mode, is refused in words', async () => {
    const table = await madeBySpark(
      'third',
      'k BIGINT, part INT, note STRING',
      `TBLPROPERTIES ('format-version' = '3')`,
    );
    for (const mode of ['append', 'overwrite', 'overwrite_partition', 'merge'] as const) {
      await expect(table.write({ sql: rows(0, 5, 'never'), mode, mergeKeys: ['k'] })).rejects.toMatchObject({
        type: 'UnsupportedError',
        message: expect.stringMatching(/version 3/) as string,
      });
    }
    expect(await lakehouse.judge.history(table.name)).toEqual([]);
  });
});

describe('a table of ours that pyiceberg writes to, as pyiceberg and Spark 4.1 read it afterwards', () => {
  test('every mode, when pyiceberg appended and deleted, works on top of it', async () => {
    const table = await partitioned('pyiceberg');
    const appended = rows(40, 60, 'by pyiceberg');
    await lakehouse.judge.append(table.name, await lakehouse.parquet(appended));
    await table.apply({ sql: appended });
    await lakehouse.judge.delete(table.name, 'k >= 25 and k < 42');
    await table.alterModel(`DELETE FROM ${table.model} WHERE k >= 25 AND k < 42`);
    await table.expectSound();
    await expectEveryModeWorks(table);
    await table.expectTimeTravel();
  });
});

describe('a table that a writer of ours and Spark 4.1 write to at once', () => {
  test('loads and inserts, when they race, are each there once', async () => {
    const table = lakehouse.table('others.race');
    await table.load({ sql: `SELECT 'begin' AS load, 0::BIGINT AS i` });
    await lakehouse.judge.sql(
      `ALTER TABLE matih.${table.name} SET TBLPROPERTIES ('commit.retry.num-retries' = '30', 'commit.retry.min-wait-ms' = '20')`,
    );
    const loads = [];
    for (let at = 0; at < 30; at += 1) {
      const sql = `SELECT 'load ${at}' AS load, ${at}::BIGINT AS i`;
      await table.apply({ sql });
      loads.push({
        ...{ loadName: `race-${at}/out`, mode: 'append' as const, mergeKeys: [] },
        input: await lakehouse.dataset(sql),
      });
    }
    const writer = startWriter({
      catalogFile: path.join(lakehouse.folder, 'catalog.db'),
      warehouse: path.join(lakehouse.folder, 'warehouse'),
      spillFolder: path.join(lakehouse.folder, `spill-${lakehouse.next()}`),
      table: table.name,
      partitionBy: [],
      loads,
    });
    let inserts = 0;
    while (writer.committed.length < loads.length && inserts < 30) {
      inserts += 1;
      await inSpark(table, (name) => `INSERT INTO ${name} VALUES ('insert', ${inserts})`);
    }
    expect(await writer.ended).toEqual({ code: 0, signal: null, said: '' });
    expect(inserts).toBeGreaterThan(1);
    await table.expectSound();
  });
});

describe('schema migrations in the embedded catalog, as pyiceberg and Spark 4.1 read and write around them', () => {
  test('when the changes stay, the rows are read under the new schema and both write on', async () => {
    await expectMigrated(lakehouse, 'others.migrated');
  });

  test('when the table is restored, it is as before, with the rows that both wrote meanwhile', async () => {
    await expectRestored(lakehouse, 'others.restored');
  });

  test('when types were widened, they are restored with what both wrote in the wider ones, unless it does not fit', async () => {
    await expectTypesRestored(lakehouse, 'others.types');
  });

  test('when types of a table with delete files were widened, they are restored unless what was written wide was deleted from', async () => {
    await expectDeletesRestored(lakehouse, 'others.deletes');
  });
});
