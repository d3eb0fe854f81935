import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommitConflict } from '../../../../src/engines/iceberg/catalog.ts';
import { Upkeep } from './upkeep-lake.ts';

let upkeep: Upkeep;
beforeEach(async () => {
  upkeep = await Upkeep.open();
});
afterEach(() => upkeep.close());

const T = 'o.t';

async function appendSeveral(): Promise<void> {
  for (const id of [1, 2, 3, 4]) await upkeep.append(T, id, id + 10);
}

describe('a compaction', () => {
  it('when a table has small files, makes one of them by one commit that replaces and changes no row', async () => {
    await appendSeveral();
    const before = await upkeep.ids(T);
    const result = await upkeep.compact(T, { maintenanceId: 'm-1' });
    expect(result).toMatchObject({ rewrittenFiles: 4, addedFiles: 1 });
    expect(await upkeep.ids(T)).toEqual(before);
    expect(await upkeep.lake.files(T)).toMatchObject([{ recordCount: 8n, sizeBytes: BigInt(result.addedBytes) }]);
    const { snapshots = [] } = await upkeep.lake.metadata(T);
    expect(snapshots).toHaveLength(5);
    expect(snapshots.at(-1)?.summary).toMatchObject({
      operation: 'replace',
      'pipeline.maintenance-id': 'm-1',
      'total-records': '8',
      'total-data-files': '1',
    });
  });

  it('when files are partitioned, keeps each partition to itself, with its bounds', async () => {
    for (const day of [1, 2, 1, 2, 1]) {
      const sql = `SELECT ${day} AS id, DATE '2001-01-0${day}' AS d, 'x' AS note`;
      await upkeep.lake.load(T, sql, { partitionBy: ['day(d)'] });
    }
    expect(await upkeep.compact(T, { minInputFiles: 3 })).toMatchObject({ rewrittenFiles: 3, addedFiles: 1 });
    const files = await upkeep.lake.files(T);
    expect(files.map(({ partition, recordCount }) => [partition, recordCount])).toEqual(
      expect.arrayContaining([
        [[11323n], 3n],
        [[11324n], 1n],
      ]),
    );
    expect(files.every((file) => file.lowerBounds?.size === 3)).toBe(true);
    expect(await upkeep.ids(T)).toEqual([1, 1, 1, 2, 2]);
  });

  it('when columns were added and renamed since, leaves the rows as they read', async () => {
    await upkeep.append(T, 1);
    await upkeep.lake.load(T, 'SELECT 2 AS id, 5 AS extra', { schemaEvolution: 'add_columns' });
    await upkeep.compact(T);
    expect(await upkeep.lake.query(T, 'SELECT id, extra FROM live ORDER BY id')).toEqual([
      { id: 1, extra: null },
      { id: 2, extra: 5 },
    ]);
  });

  it('when others append between its writing and its commit, loses none of their rows', async () => {
    await appendSeveral();
    let appended = 0;
    const catalog = upkeep.around(async (commit) => {
      if (appended < 3) await upkeep.append(T, 100 + appended++);
      return commit();
    });
    expect(await upkeep.compact(T, {}, catalog)).toMatchObject({ rewrittenFiles: 4, addedFiles: 1 });
    expect(await upkeep.ids(T)).toEqual([1, 2, 3, 4, 11, 12, 13, 14, 100, 101, 102]);
    expect(await upkeep.lake.files(T)).toHaveLength(4);
  });

  it('when loads append while it works, for real, loses no row of any', async () => {
    await appendSeveral();
    const other = upkeep.lake.openCatalog();
    const appending = (async () => {
      for (let id = 100; id < 112; id += 1) await upkeep.lake.load(T, `SELECT ${id}::INTEGER AS id`, {}, other);
    })();
    const compacted = [];
    for (let round = 0; round < 4; round += 1) compacted.push(await upkeep.compact(T));
    await appending;
    await other.close();
    expect(compacted[0]?.rewrittenFiles).toBeGreaterThanOrEqual(4);
    const appended = Array.from({ length: 12 }, (_, at) => 100 + at);
    expect(await upkeep.ids(T)).toEqual([1, 2, 3, 4, 11, 12, 13, 14, ...appended]);
  });

  it('when others overwrite the files meanwhile, brings none of the old rows back and plans anew', async () => {
    await appendSeveral();
    let overwritten = false;
    const catalog = upkeep.around(async (commit) => {
      if (!overwritten) {
        overwritten = true;
        await upkeep.lake.load(T, 'SELECT 7::INTEGER AS id', { mode: 'overwrite' });
        await upkeep.append(T, 8);
      }
      return commit();
    });
    const result = await upkeep.compact(T, { maintenanceId: 'm-2' }, catalog);
    expect(result).toMatchObject({ rewrittenFiles: 2, addedFiles: 1 });
    expect(await upkeep.ids(T)).toEqual([7, 8]);
    const parquet = (await upkeep.paths()).filter((path) => path.endsWith('.parquet'));
    // Those of five loads, of the overwriting one, and the one that was committed; nothing of the first try.
    expect(parquet).toHaveLength(4 + 1 + 1 + 1);
  });

  it('when part of what it rewrote is replaced meanwhile, commits the rest only', async () => {
    for (const k of [1, 1, 2, 2]) await upkeep.lake.load(T, `SELECT ${k} AS id, ${k} AS k`, { partitionBy: ['k'] });
    let first = true;
    const catalog = upkeep.around(async (commit) => {
      if (first) {
        first = false;
        await upkeep.lake.load(T, 'SELECT 20 AS id, 2 AS k', { mode: 'overwrite_partition' });
      }
      return commit();
    });
    expect(await upkeep.compact(T, {}, catalog)).toMatchObject({ rewrittenFiles: 2, addedFiles: 1 });
    expect(await upkeep.ids(T)).toEqual([1, 1, 20]);
    expect((await upkeep.paths()).filter((path) => path.endsWith('.parquet'))).toHaveLength(4 + 1 + 1);
  });

  it('when it is done again, or the answer to its commit was lost, is one commit', async () => {
    await appendSeveral();
    const lost = upkeep.around(async (commit) => {
      await commit();
      throw new Error('the answer got lost');
    });
    const first = await upkeep.compact(T, { maintenanceId: 'm-3' }, lost);
    expect(first).toMatchObject({ rewrittenFiles: 4, addedFiles: 1 });
    await upkeep.append(T, 50);
    await upkeep.append(T, 51);
    expect(await upkeep.compact(T, { maintenanceId: 'm-3' })).toEqual(first);
    expect(await upkeep.ids(T)).toEqual([1, 2, 3, 4, 11, 12, 13, 14, 50, 51]);
    const { snapshots = [] } = await upkeep.lake.metadata(T);
    expect(snapshots.filter(({ summary }) => summary.operation === 'replace')).toHaveLength(1);
  });

  it('when another attempt of it commits first, finds that and deletes its own file', async () => {
    await appendSeveral();
    let other = false;
    const catalog = upkeep.around(async (commit) => {
      if (!other) {
        other = true;
        await upkeep.compact(T, { maintenanceId: 'm-4' });
      }
      return commit();
    });
    await upkeep.compact(T, { maintenanceId: 'm-4' }, catalog);
    expect((await upkeep.paths()).filter((path) => path.endsWith('.parquet'))).toHaveLength(5);
    expect(await upkeep.ids(T)).toEqual([1, 2, 3, 4, 11, 12, 13, 14]);
  });

  it('when others always commit first, ends without a trace', async () => {
    await appendSeveral();
    const files = await upkeep.paths();
    const refused = upkeep.around(() => Promise.reject(new CommitConflict('taken')));
    const signal = AbortSignal.timeout(400);
    const { compactTable } = await import('../../../../src/engines/iceberg/maintenance/compact-table.ts');
    await expect(
      compactTable(
        { table: T, maintenanceId: 'm-5', targetFileSizeBytes: 1 << 29, minInputFiles: 2 },
        { catalog: refused, duckdb: upkeep.lake.duckdb },
        { signal, log: () => undefined, progress: () => undefined },
      ),
    ).rejects.toThrow();
    expect(await upkeep.paths()).toEqual(files);
  });

  it('when nothing is small enough to be worth it, commits nothing', async () => {
    await appendSeveral();
    expect(await upkeep.compact(T, { minInputFiles: 5 })).toMatchObject({ rewrittenFiles: 0, snapshotId: null });
    expect(await upkeep.snapshotIds(T)).toHaveLength(4);
  });

  it('when there is no such table, says so', async () => {
    await expect(upkeep.compact('o.none')).rejects.toThrow('there is no table o.none');
  });
});
