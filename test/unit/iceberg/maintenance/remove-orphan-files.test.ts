import { mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findOrphans } from '../../../../src/engines/iceberg/maintenance/find-orphans.ts';
import { DAY_MS, Upkeep } from './upkeep-lake.ts';

let upkeep: Upkeep;
let folder: string;
beforeEach(async () => {
  upkeep = await Upkeep.open();
  folder = join(upkeep.lake.folder, 'warehouse/o/t');
  await upkeep.append(T, 1);
  await upkeep.append(T, 2);
});
afterEach(() => upkeep.close());

const T = 'o.t';

async function put(path: string, content = 'x'.repeat(10)): Promise<void> {
  await mkdir(join(folder, path, '..'), { recursive: true });
  await writeFile(join(folder, path), content);
}

describe('removing orphans', () => {
  it('when files are old and nothing refers to them, removes them and nothing else', async () => {
    const live = await upkeep.paths();
    await put('data/part/killed.parquet');
    await put('metadata/killed-m0.avro');
    await put('metadata/00009-killed.metadata.json', '{"table-uu');
    await put('data/.scratch-abc/rows.parquet');
    await put('metadata/version-hint.text');
    await put('data/_SUCCESS');
    await upkeep.age(3.1);
    await put('data/fresh.parquet');
    expect(await upkeep.removeOrphans(T)).toEqual({ deletedFiles: 4, deletedBytes: 40 });
    const kept = ['data/fresh.parquet', 'metadata/version-hint.text', 'data/_SUCCESS'].map((path) =>
      join(folder, path),
    );
    expect(await upkeep.paths()).toEqual([...live, ...kept].sort());
    expect(await upkeep.ids(T)).toEqual([1, 2]);
  });

  it('when they are not old enough yet, keeps them', async () => {
    await put('data/killed.parquet');
    await upkeep.age(2.9);
    expect(await upkeep.removeOrphans(T)).toEqual({ deletedFiles: 0, deletedBytes: 0 });
  });

  it('when branches, tags and old snapshots have them, keeps them, however old', async () => {
    await upkeep.lake.load(T, 'SELECT 3::INTEGER AS id', { mode: 'overwrite' });
    await upkeep.compact(T);
    await upkeep.age(100);
    const before = await upkeep.paths();
    expect(await upkeep.removeOrphans(T)).toEqual({ deletedFiles: 0, deletedBytes: 0 });
    expect(await upkeep.paths()).toEqual(before);
  });

  it('when expiring was killed before it deleted anything, removes what that left', async () => {
    await upkeep.lake.load(T, 'SELECT 3::INTEGER AS id', { mode: 'overwrite' });
    const killed = upkeep.around(async (commit) => {
      await commit();
      return new Promise(() => undefined);
    });
    void upkeep.expire(T, { olderThanMs: -1 }, killed);
    await expect.poll(() => upkeep.snapshotIds(T)).toHaveLength(1);
    await upkeep.age(4);
    expect(await upkeep.removeOrphans(T)).toMatchObject({ deletedFiles: 6 });
    expect((await upkeep.paths()).filter((path) => path.endsWith('.parquet'))).toHaveLength(1);
    expect(await upkeep.ids(T)).toEqual([3]);
  });

  it('when a load commits an old file while they are looked for, keeps it', async () => {
    await upkeep.age(10);
    const { catalog } = upkeep.lake;
    let looks = 0;
    const late = {
      ...upkeep.around((commit) => commit()),
      loadTable: async (identifier: Parameters<typeof catalog.loadTable>[0]) => {
        if (looks++ === 1) await upkeep.append(T, 3);
        return catalog.loadTable(identifier);
      },
    };
    await upkeep.removeOrphans(T, late);
    expect(await upkeep.ids(T)).toEqual([1, 2, 3]);
  });

  it('when other tables lie in folders below it, keeps out of them, whether the catalog knows them or not', async () => {
    const inner = { namespace: ['o', 't'], name: 'inner' };
    await upkeep.append('o.t.inner', 7);
    await upkeep.age(10);
    await put('data/killed.parquet');
    await upkeep.age(10);
    const theirs = (await upkeep.paths()).filter((path) => path.includes('/inner/'));
    expect(theirs.length).toBeGreaterThan(3);
    const knowsNone = { ...upkeep.around((commit) => commit()), foldersOfOthers: () => Promise.resolve([]) };
    expect(await upkeep.removeOrphans(T, knowsNone)).toEqual({ deletedFiles: 1, deletedBytes: 10 });
    await put('inner/data/killed.parquet');
    await upkeep.age(10);
    expect(await upkeep.removeOrphans(T)).toEqual({ deletedFiles: 0, deletedBytes: 0 });
    expect(await upkeep.removeOrphans('o.t.inner')).toEqual({ deletedFiles: 1, deletedBytes: 10 });
    expect((await upkeep.paths()).filter((path) => path.includes('/inner/'))).toEqual(theirs);
    expect(await upkeep.lake.catalog.foldersOfOthers(inner)).toContain(`file://${folder}`);
  });

  it('when another table has the same folder, deletes nothing and says so', async () => {
    await upkeep.append('o.u', 7);
    await upkeep.change('o.u', { action: 'set-location', location: `file:${folder}/` });
    await put('data/killed.parquet');
    await upkeep.age(10);
    const before = await upkeep.paths();
    const removed = await upkeep.removeOrphans(T);
    expect(removed).toMatchObject({ deletedFiles: 0, unsure: expect.stringContaining('another table') as string });
    expect(await upkeep.paths()).toEqual(before);
  });

  it('when metadata of another table lies among its own, deletes nothing and says so', async () => {
    await upkeep.append('p.u', 7);
    const theirs = (await upkeep.paths()).find((path) => path.includes('/p/u/metadata/0')) ?? '';
    await put(`metadata/${basename(theirs)}`, await readFile(theirs, 'utf8'));
    await put('data/killed.parquet');
    await upkeep.age(10);
    const removed = await upkeep.removeOrphans(T);
    expect(removed).toMatchObject({ deletedFiles: 0, unsure: expect.stringContaining('another table') as string });
  });

  it.each(['file:', 'file://', ''])('when its location is written with %o, knows its files', async (scheme) => {
    await upkeep.change(T, { action: 'set-location', location: `${scheme}${folder}/` });
    await put('data/killed.parquet');
    await upkeep.age(10);
    expect(await upkeep.removeOrphans(T)).toEqual({ deletedFiles: 1, deletedBytes: 10 });
    expect(await upkeep.ids(T)).toEqual([1, 2]);
  });

  it('when its folder has another name by now, deletes nothing and says so', async () => {
    const moved = join(upkeep.lake.folder, 'moved');
    await rename(folder, moved);
    await symlink(moved, folder);
    await upkeep.change(T, { action: 'set-location', location: `file://${moved}` });
    await upkeep.age(10);
    const removed = await upkeep.removeOrphans(T);
    expect(removed).toMatchObject({ deletedFiles: 0, unsure: expect.stringContaining('another form') as string });
    expect(await upkeep.ids(T)).toEqual([1, 2]);
  });

  it('when a folder is listed that is a root, or no folder at all, finds none', () => {
    for (const location of ['/', 'file:///', 's3://bucket', 's3://bucket/', 'hdfs://host/t', '']) {
      const files = [{ uri: `${location}/data/a.parquet`, sizeBytes: 1, modifiedMs: 0 }];
      const found = findOrphans({ location, files, referenced: [], others: [], olderThanMs: 1, nowMs: DAY_MS });
      expect(found, location).toHaveProperty('unsure');
    }
  });

  it('when objects are named by another scheme of S3, knows them', () => {
    const file = (uri: string) => ({ uri, sizeBytes: 1, modifiedMs: 0 });
    const found = findOrphans({
      location: 's3a://lake/t/',
      files: [file('s3://lake/t/data/a.parquet'), file('s3://lake/t/data/b.parquet')],
      referenced: ['s3n://lake/t/data/a.parquet'],
      others: ['s3://lake/t2'],
      olderThanMs: 1,
      nowMs: DAY_MS,
    });
    expect(found).toEqual({ files: [file('s3://lake/t/data/b.parquet')] });
  });

  it('when the table forbids that files of it are deleted, says so', async () => {
    await upkeep.change(T, { action: 'set-properties', updates: { 'gc.enabled': 'false' } });
    await expect(upkeep.removeOrphans(T)).rejects.toThrow('gc.enabled=false');
  });
});
