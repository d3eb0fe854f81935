import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removeSnapshots } from '../../../../src/engines/iceberg/maintenance/remove-snapshots.ts';
import { Upkeep } from './upkeep-lake.ts';

let upkeep: Upkeep;
beforeEach(async () => {
  upkeep = await Upkeep.open();
});
afterEach(() => upkeep.close());

const T = 'o.t';
/** Whatever was made before now is old. */
const ALL_OLD = { olderThanMs: -1 };

async function appendSeveral(): Promise<bigint[]> {
  for (const id of [1, 2, 3]) await upkeep.append(T, id);
  return upkeep.snapshotIds(T);
}

const tag = (name: string, id: bigint) =>
  upkeep.change(T, { action: 'set-snapshot-ref', 'ref-name': name, type: 'tag', 'snapshot-id': id });

describe('expiring snapshots', () => {
  it('when they are old, keeps the current one and its rows, and deletes what only they had', async () => {
    await appendSeveral();
    await upkeep.lake.load(T, 'SELECT 9::INTEGER AS id', { mode: 'overwrite' });
    const before = await upkeep.paths();
    expect(await upkeep.expire(T, ALL_OLD)).toEqual({ snapshots: 3, refs: 0, deletedFiles: 9 });
    expect(await upkeep.snapshotIds(T)).toHaveLength(1);
    expect(await upkeep.ids(T)).toEqual([9]);
    const gone = before.filter((path) => path.endsWith('.parquet') || path.endsWith('.avro'));
    const left = (await upkeep.paths()).filter((path) => !path.endsWith('.metadata.json'));
    // Of the overwriting load: its file, its list, its manifest, and those that tell what it deleted.
    expect(gone.length - left.length).toBe(9);
    expect(left.filter((path) => path.endsWith('.parquet'))).toHaveLength(1);
  });

  it('when they are young, or wanted by number, keeps them', async () => {
    const ids = await appendSeveral();
    expect(await upkeep.expire(T)).toEqual({ snapshots: 0, refs: 0, deletedFiles: 0 });
    expect(await upkeep.expire(T, { ...ALL_OLD, retainLast: 2 })).toMatchObject({ snapshots: 1 });
    expect(await upkeep.snapshotIds(T)).toEqual(ids.slice(1));
  });

  it("when nothing is asked, goes by the table's properties", async () => {
    const ids = await appendSeveral();
    const updates = { 'history.expire.max-snapshot-age-ms': '0', 'history.expire.min-snapshots-to-keep': '2' };
    await upkeep.change(T, { action: 'set-properties', updates });
    expect(await upkeep.expire(T)).toMatchObject({ snapshots: 1 });
    expect(await upkeep.snapshotIds(T)).toEqual(ids.slice(1));
  });

  it('when a tag or a branch has them, keeps them with all their files', async () => {
    const [first = 0n] = await appendSeveral();
    await tag('audit', first);
    await upkeep.lake.load(T, 'SELECT 9::INTEGER AS id', { mode: 'overwrite' });
    await upkeep.expire(T, ALL_OLD);
    expect(await upkeep.snapshotIds(T)).toHaveLength(2);
    const { snapshots = [] } = await upkeep.lake.metadata(T);
    const tagged = snapshots.filter((snapshot) => snapshot['snapshot-id'] === first);
    expect(await Promise.all(tagged.map((snapshot) => upkeep.idsOf(snapshot)))).toEqual([[1]]);
  });

  it('when a tag is older than it was to become, removes it and what only it had; never main', async () => {
    const [first = 0n] = await appendSeveral();
    await tag('brief', first);
    await upkeep.change(T, { action: 'set-properties', updates: { 'history.expire.max-ref-age-ms': '0' } });
    expect(await upkeep.expire(T, ALL_OLD)).toMatchObject({ refs: 1, snapshots: 2 });
    expect(Object.keys((await upkeep.lake.metadata(T)).refs ?? {})).toEqual(['main']);
    expect(await upkeep.ids(T)).toEqual([1, 2, 3]);
  });

  it('when somebody tags one of them meanwhile, keeps that one', async () => {
    const [first = 0n] = await appendSeveral();
    let tagged = false;
    const catalog = upkeep.around(async (commit) => {
      if (!tagged) {
        tagged = true;
        await tag('late', first);
      }
      return commit();
    });
    expect(await upkeep.expire(T, ALL_OLD, catalog)).toMatchObject({ snapshots: 1 });
    expect(await upkeep.snapshotIds(T)).toContain(first);
  });

  it('when a load commits meanwhile, loses nothing of it', async () => {
    await appendSeveral();
    let loaded = false;
    const catalog = upkeep.around(async (commit) => {
      if (!loaded) {
        loaded = true;
        await upkeep.append(T, 4);
      }
      return commit();
    });
    await upkeep.expire(T, ALL_OLD, catalog);
    expect(await upkeep.ids(T)).toEqual([1, 2, 3, 4]);
  });

  it('when a load is tried again after its snapshot has gone, commits nothing', async () => {
    const load = { loadName: 'run-1/out' };
    await upkeep.lake.load(T, 'SELECT 1::INTEGER AS id', load);
    await upkeep.append(T, 2);
    await upkeep.compact(T);
    await upkeep.expire(T, ALL_OLD);
    expect(await upkeep.snapshotIds(T)).toHaveLength(1);
    const again = await upkeep.lake.load(T, 'SELECT 1::INTEGER AS id', load);
    expect(again).toMatchObject({ alreadyCommitted: true, rows: 1 });
    expect(await upkeep.ids(T)).toEqual([1, 2]);
  });

  it('when it is done again, or the answer to its commit was lost, tells what it had done', async () => {
    await appendSeveral();
    const lost = upkeep.around(async (commit) => {
      await commit();
      throw new Error('the answer got lost');
    });
    const first = await upkeep.expire(T, { ...ALL_OLD, maintenanceId: 'm-1' }, lost);
    expect(first).toEqual({ snapshots: 2, refs: 0, deletedFiles: 2 });
    await upkeep.append(T, 4);
    const again = await upkeep.expire(T, { ...ALL_OLD, maintenanceId: 'm-1' });
    expect(again).toEqual({ snapshots: 2, refs: 0, deletedFiles: 0 });
    expect(await upkeep.snapshotIds(T)).toHaveLength(2);
  });

  it('when the table forbids that files of it are deleted, says so and does nothing', async () => {
    const ids = await appendSeveral();
    await upkeep.change(T, { action: 'set-properties', updates: { 'gc.enabled': 'false' } });
    await expect(upkeep.expire(T, ALL_OLD)).rejects.toThrow('gc.enabled=false');
    expect(await upkeep.snapshotIds(T)).toEqual(ids);
  });

  it('when metadata loses a snapshot, loses its statistics and the history before it', async () => {
    const ids = await appendSeveral();
    const metadata = await upkeep.lake.metadata(T);
    const statistics = ids.map((id) => ({ 'snapshot-id': id, 'statistics-path': `s-${id}` }));
    const changed = removeSnapshots({ ...metadata, statistics }, new Set(ids.slice(1, 2)));
    expect(changed.statistics).toEqual([statistics[0], statistics[2]]);
    expect(changed['snapshot-log']?.map((entry) => entry['snapshot-id'])).toEqual(ids.slice(2));
    expect(() => removeSnapshots(metadata, new Set(ids.slice(2)))).toThrow('main points to');
  });
});
