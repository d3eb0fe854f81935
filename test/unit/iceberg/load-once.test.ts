import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  CommitConflict,
  CommitRefused,
  parseTableIdentifier,
  type IcebergCatalog,
} from '../../../src/engines/iceberg/catalog.ts';
import { EngineError } from '../../../src/errors.ts';
import { findLoad, recordLoad } from '../../../src/engines/iceberg/load-ledger.ts';
import type { TableUpdate } from '../../../src/engines/iceberg/table-changes.ts';
import { Lake } from './lake.ts';

let lake: Lake;
beforeEach(async () => {
  lake = await Lake.open();
});
afterEach(() => lake.close());

/** The lake's catalog with something that happens around each of its commits. */
function around(
  commit: (inner: () => ReturnType<IcebergCatalog['commitTable']>) => ReturnType<IcebergCatalog['commitTable']>,
): IcebergCatalog {
  const { catalog } = lake;
  return {
    loadTable: (identifier) => catalog.loadTable(identifier),
    stageTable: (identifier, table) => catalog.stageTable(identifier, table),
    commitTable: (identifier, requirements, updates) =>
      commit(() => catalog.commitTable(identifier, requirements, updates)),
    close: () => Promise.resolve(),
  };
}

const change = (table: string, updates: TableUpdate[]) =>
  lake.catalog.commitTable(parseTableIdentifier(table), [], updates);

async function count(table: string): Promise<number> {
  const [row] = await lake.query(table, 'SELECT count(*)::INTEGER AS n FROM live');
  return row?.['n'] as number;
}

describe('a load', () => {
  it('when it is tried again, commits nothing and tells what it had committed', async () => {
    const first = await lake.load('o.t', 'SELECT 1 AS id', { loadName: 'run/out' });
    const files = await lake.everyFile();
    const second = await lake.load('o.t', 'SELECT 1 AS id', { loadName: 'run/out' });
    expect(second).toEqual({ ...first, alreadyCommitted: true, commitAttempts: 0 });
    expect(await lake.everyFile()).toEqual(files);
  });

  it('when its snapshot was expired since, is still remembered', async () => {
    const first = await lake.load('o.t', 'SELECT 1 AS id', { loadName: 'run/out' });
    await lake.load('o.t', 'SELECT 2 AS id');
    const { snapshots = [], ...metadata } = await lake.metadata('o.t');
    const expired = { ...metadata, snapshots: snapshots.slice(1) };
    expect(findLoad(expired, 'run/out')).toEqual({ snapshotId: first.snapshotId, rows: 1, bytes: first.bytes });
  });

  it('when its property was removed, is found by its snapshot', async () => {
    const first = await lake.load('o.t', 'SELECT 1 AS id', { loadName: 'run/out' });
    await change('o.t', [{ action: 'remove-properties', removals: ['pipeline.load.run/out'] }]);
    const again = await lake.load('o.t', 'SELECT 1 AS id', { loadName: 'run/out' });
    expect(again).toEqual({ ...first, alreadyCommitted: true, commitAttempts: 0 });
  });

  it('when another attempt of it commits first, finds that and deletes its own files', async () => {
    let files: string[] = [];
    const catalog = around(async (commit) => {
      if (files.length === 0) {
        await lake.load('o.t', 'SELECT 1 AS id', { loadName: 'run/out' });
        files = await lake.everyFile();
      }
      return commit();
    });
    const result = await lake.load('o.t', 'SELECT 1 AS id', { loadName: 'run/out' }, catalog);
    expect(result).toMatchObject({ alreadyCommitted: true, commitAttempts: 1, rows: 1 });
    expect(await count('o.t')).toBe(1);
    const left = await lake.everyFile();
    expect(left.filter((name) => name.endsWith('.parquet'))).toHaveLength(1);
    expect(left.filter((name) => name.startsWith('snap-'))).toHaveLength(1);
  });

  it('when the answer to its commit is lost, finds the commit and tells it as its own', async () => {
    const lost = around(async (commit) => {
      await commit();
      throw new Error('the answer got lost');
    });
    const first = await lake.load('o.t', 'SELECT 1 AS id', { loadName: 'run/out' }, lost);
    expect(first).toMatchObject({ alreadyCommitted: false, rows: 1, commitAttempts: 1 });
    const again = await lake.load('o.t', 'SELECT 1 AS id', { loadName: 'run/out' });
    expect(again).toMatchObject({ alreadyCommitted: true, snapshotId: first.snapshotId });
    expect(await count('o.t')).toBe(1);
  });

  it('when its commit is lost on the way, commits again', async () => {
    let commits = 0;
    const catalog = around((commit) => (commits++ === 0 ? Promise.reject(new Error('lost')) : commit()));
    const result = await lake.load('o.t', 'SELECT 1 AS id', { loadName: 'run/out' }, catalog);
    expect(result).toMatchObject({ alreadyCommitted: false, rows: 1, commitAttempts: 2 });
    expect(await count('o.t')).toBe(1);
  });

  it('when a commit that was thought lost happens after it was looked for, is committed once', async () => {
    let late: (() => Promise<unknown>) | undefined;
    const catalog = around(async (commit) => {
      if (late === undefined) {
        late = commit;
        throw new Error('the answer got lost');
      }
      await late();
      return commit();
    });
    const result = await lake.load('o.t', 'SELECT 1 AS id', { loadName: 'run/out' }, catalog);
    expect(result).toMatchObject({ alreadyCommitted: false, rows: 1, commitAttempts: 2 });
    expect(await count('o.t')).toBe(1);
    expect((await lake.metadata('o.t')).snapshots).toHaveLength(1);
  });

  it('when nobody can find out whether it was committed, deletes nothing and fails for now', async () => {
    const lost = around(() => Promise.reject(new Error('the answer got lost')));
    const load = lake.load('o.t', 'SELECT 1 AS id', { loadName: 'run/out' }, lost);
    await expect(load).rejects.toMatchObject({
      type: 'UnavailableError',
      message: expect.stringMatching(/knows.*got lost/) as string,
    });
    expect((await lake.everyFile()).filter((name) => name.endsWith('.parquet'))).toHaveLength(1);
    expect(await lake.load('o.t', 'SELECT 1 AS id', { loadName: 'run/out' })).toMatchObject({ rows: 1 });
    expect(await count('o.t')).toBe(1);
  });

  it('when its commit is refused, fails with what the catalog says and leaves no files', async () => {
    const forbidden = new EngineError('PermissionDeniedError', 'not allowed');
    const catalog = around(() => Promise.reject(new CommitRefused(forbidden)));
    await expect(lake.load('o.t', 'SELECT 1 AS id', {}, catalog)).rejects.toBe(forbidden);
    expect(await lake.everyFile()).toEqual([]);
  });

  it('when others make the table between looking and making, goes into theirs', async () => {
    let stages = 0;
    const { catalog } = lake;
    const late: IcebergCatalog = {
      ...around((commit) => commit()),
      stageTable: async (identifier, table) => {
        if (stages++ > 0) return catalog.stageTable(identifier, table);
        await lake.load('o.t', 'SELECT 0 AS id');
        throw new CommitConflict('somebody else made the table');
      },
    };
    expect(await lake.load('o.t', 'SELECT 1 AS id', {}, late)).toMatchObject({ alreadyCommitted: false, rows: 1 });
    expect(await count('o.t')).toBe(2);
  });

  it('when others commit first, commits on top of them without writing its rows again', async () => {
    await lake.load('o.t', 'SELECT 0 AS id');
    let meanwhile = 0;
    const catalog = around(async (commit) => {
      if (meanwhile++ < 3) await lake.load('o.t', `SELECT ${meanwhile} AS id`);
      return commit();
    });
    const result = await lake.load('o.t', 'SELECT 9 AS id', {}, catalog);
    expect(result).toMatchObject({ alreadyCommitted: false, commitAttempts: 4 });
    expect(await count('o.t')).toBe(5);
    const { snapshots = [] } = await lake.metadata('o.t');
    expect(snapshots.map((snapshot) => snapshot['sequence-number'])).toEqual([1n, 2n, 3n, 4n, 5n]);
    expect((await lake.everyFile()).filter((name) => name.endsWith('.parquet'))).toHaveLength(5);
  });

  it('when others replace what a merge was to replace, merges into what they left', async () => {
    const merge = { mode: 'merge' as const, mergeKeys: ['id'] };
    await lake.load('o.t', "SELECT r AS id, 'old' AS v FROM range(10) t(r)");
    let meanwhile = 0;
    const catalog = around(async (commit) => {
      if (meanwhile++ === 0) await lake.load('o.t', "SELECT r AS id, 'theirs' AS v FROM range(5) t(r)", merge);
      return commit();
    });
    await lake.load('o.t', "SELECT r AS id, 'ours' AS v FROM range(4, 6) t(r)", merge, catalog);
    const read = await lake.query(
      'o.t',
      'SELECT v, list(id::INTEGER ORDER BY id) AS ids FROM live GROUP BY v ORDER BY v',
    );
    expect(read).toEqual([
      { v: 'old', ids: [6, 7, 8, 9] },
      { v: 'ours', ids: [4, 5] },
      { v: 'theirs', ids: [0, 1, 2, 3] },
    ]);
    const live = (await lake.files('o.t')).length;
    const kept = (await lake.everyFile()).filter((name) => name.endsWith('.parquet')).length;
    // The first file and the two that the other merge made and ours replaced are history; nothing else lies about.
    expect(kept).toBe(live + 3);
  });

  it('when others change the schema meanwhile, fits its rows to the new one', async () => {
    await lake.load('o.t', 'SELECT 1 AS id');
    let meanwhile = 0;
    const catalog = around(async (commit) => {
      if (meanwhile++ === 0) await lake.load('o.t', 'SELECT 2::BIGINT AS id', { schemaEvolution: 'add_columns' });
      return commit();
    });
    const result = await lake.load('o.t', "SELECT 3 AS id, 'x' AS v", { schemaEvolution: 'add_columns' }, catalog);
    expect(result.commitAttempts).toBe(2);
    expect(await lake.query('o.t', 'SELECT id, v FROM live ORDER BY id')).toEqual([
      { id: '1', v: null },
      { id: '2', v: null },
      { id: '3', v: 'x' },
    ]);
    expect((await lake.metadata('o.t')).schemas.map((schema) => schema.fields.length)).toEqual([1, 1, 2]);
  });

  it('when others always come first, gives up with nothing left of it', async () => {
    await lake.load('o.t', 'SELECT 0 AS id');
    const files = await lake.everyFile();
    const signal = AbortSignal.timeout(1_000);
    const catalog = around(() => Promise.reject(new CommitConflict('somebody else')));
    const load = lake.load('o.t', 'SELECT 1 AS id', {}, catalog, { signal });
    await expect(load).rejects.toThrow(/timeout/);
    expect(await lake.everyFile()).toEqual(files);
  });

  it('when it is aborted before the commit, leaves no table and no files', async () => {
    const stop = new AbortController();
    const progress = () => {
      stop.abort(new Error('cancelled'));
    };
    const load = lake.load('o.t', 'SELECT 1 AS id', {}, lake.catalog, { signal: stop.signal, progress });
    await expect(load).rejects.toThrow('cancelled');
    expect(await lake.hasTable('o.t')).toBe(false);
    expect(await lake.everyFile()).toEqual([]);
  });

  it('when four writers make and fill a table at once, loses none of their rows', async () => {
    const catalogs = Array.from({ length: 4 }, () => lake.openCatalog());
    const write = async (catalog: IcebergCatalog, writer: number) => {
      for (let round = 0; round < 3; round++) {
        await lake.load('o.t', `SELECT ${writer} AS writer, ${round} AS round`, {}, catalog);
      }
    };
    await Promise.all(catalogs.map(write));
    await Promise.all(catalogs.map((catalog) => catalog.close()));
    const [row] = await lake.query(
      'o.t',
      'SELECT count(*)::INTEGER AS n, count(DISTINCT (writer, round))::INTEGER AS d FROM live',
    );
    expect(row).toEqual({ n: 12, d: 12 });
    const { snapshots = [] } = await lake.metadata('o.t');
    expect(snapshots).toHaveLength(12);
    expect(snapshots.at(-1)?.summary['total-records']).toBe('12');
    // Each is the child of the one before.
    const parents = snapshots.slice(1).map((snapshot) => snapshot['parent-snapshot-id']);
    expect(parents).toEqual(snapshots.slice(0, -1).map((snapshot) => snapshot['snapshot-id']));
  });
});

describe('what a table remembers of loads', () => {
  it('when a load can hardly be tried again, is dropped by the next commit; until then it stays', async () => {
    await lake.load('o.t', 'SELECT 1 AS id', { loadName: 'old/out' });
    const metadata = await lake.metadata('o.t');
    const committed = { snapshotId: 2n, rows: 1, bytes: 1 };
    const load = { loadName: 'new/out', interval: undefined };
    const days = (number: number) => Date.now() + number * 24 * 3_600_000;
    expect(recordLoad(metadata, load, committed, days(399)).map((update) => update.action)).toEqual(['set-properties']);
    expect(recordLoad(metadata, load, committed, days(401))).toContainEqual({
      action: 'remove-properties',
      removals: ['pipeline.load.old/out'],
    });
  });
});

describe('a table that this writer must not touch', () => {
  it('when its format version is 3, is left alone', async () => {
    await lake.load('o.t', 'SELECT 1 AS id');
    await change('o.t', [{ action: 'upgrade-format-version', 'format-version': 3 }]);
    await expect(lake.load('o.t', 'SELECT 2 AS id')).rejects.toMatchObject({ type: 'UnsupportedError' });
  });

  it('when its folder cannot be written, tells so and keeps the table as it was', async () => {
    await lake.load('o.t', 'SELECT 1 AS id');
    await change('o.t', [
      { action: 'set-properties', updates: { 'write.data.path': join(lake.folder, 'catalog.db') } },
    ]);
    await expect(lake.load('o.t', 'SELECT 2 AS id')).rejects.toThrow(/ENOTDIR|EEXIST/);
    expect((await lake.metadata('o.t')).snapshots).toHaveLength(1);
  });
});
