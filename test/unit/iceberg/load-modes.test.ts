import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Lake } from './lake.ts';

let lake: Lake;
beforeAll(async () => {
  lake = await Lake.open();
});
afterAll(() => lake.close());

const rowsOf = (table: string) => lake.query(table, 'SELECT id::INTEGER AS id, v FROM live ORDER BY id, v');
const summaries = async (table: string) => (await lake.metadata(table)).snapshots?.map((snapshot) => snapshot.summary);

describe('append', () => {
  it('when there is no table, makes it with its rows in one commit', async () => {
    const result = await lake.load('m.append', "SELECT 1 AS id, 'a' AS v", { loadName: 'run/out' });
    expect(result).toMatchObject({ rows: 1, alreadyCommitted: false, commitAttempts: 1 });
    const metadata = await lake.metadata('m.append');
    expect(metadata['metadata-log']).toEqual([]);
    expect(metadata.snapshots).toHaveLength(1);
    expect(metadata.snapshots?.[0]).toMatchObject({
      'sequence-number': 1n,
      summary: { 'pipeline.load-id': 'run/out' },
    });
    expect(String(metadata['current-snapshot-id'])).toBe(result.snapshotId);
  });

  it('when there is one, adds to it and keeps count', async () => {
    await lake.load('m.append', "SELECT 2 AS id, 'b' AS v UNION ALL SELECT 3, NULL");
    expect(await rowsOf('m.append')).toEqual([
      { id: 1, v: 'a' },
      { id: 2, v: 'b' },
      { id: 3, v: null },
    ]);
    const metadata = await lake.metadata('m.append');
    const [first, second] = metadata.snapshots ?? [];
    expect(second).toMatchObject({
      'parent-snapshot-id': first?.['snapshot-id'],
      'sequence-number': 2n,
      summary: { operation: 'append', 'added-records': '2', 'total-records': '3', 'total-data-files': '2' },
    });
    expect(metadata['snapshot-log']?.map((entry) => entry['snapshot-id'])).toEqual([
      first?.['snapshot-id'],
      second?.['snapshot-id'],
    ]);
    const bytes = (await lake.files('m.append')).reduce((sum, file) => sum + file.sizeBytes, 0n);
    expect(second?.summary['total-files-size']).toBe(String(bytes));
  });

  it('when there are no rows, makes the table with a snapshot that carries the name of the load', async () => {
    const result = await lake.load('m.nothing', 'SELECT 1 AS id WHERE false', { loadName: 'empty/out' });
    expect(result).toMatchObject({ rows: 0, bytes: 0, alreadyCommitted: false });
    expect(await summaries('m.nothing')).toEqual([
      expect.objectContaining({ operation: 'append', 'pipeline.load-id': 'empty/out', 'total-records': '0' }),
    ]);
    expect(await lake.files('m.nothing')).toEqual([]);
  });
});

describe('overwrite', () => {
  it('when there are rows, replaces all of them', async () => {
    await lake.load('m.overwrite', "SELECT r AS id, 'old' AS v FROM range(3) t(r)");
    await lake.load('m.overwrite', "SELECT r AS id, 'old' AS v FROM range(3, 5) t(r)");
    await lake.load('m.overwrite', "SELECT 9 AS id, 'new' AS v".replace('9', '9::BIGINT'), { mode: 'overwrite' });
    expect(await rowsOf('m.overwrite')).toEqual([{ id: 9, v: 'new' }]);
    expect((await summaries('m.overwrite'))?.at(-1)).toMatchObject({
      operation: 'overwrite',
      'deleted-data-files': '2',
      'deleted-records': '5',
      'total-records': '1',
      'total-data-files': '1',
    });
  });

  it('when the new rows are none, leaves none', async () => {
    await lake.load('m.overwrite', "SELECT 1::BIGINT AS id, 'x' AS v WHERE false", { mode: 'overwrite' });
    expect(await lake.files('m.overwrite')).toEqual([]);
    expect((await summaries('m.overwrite'))?.at(-1)).toMatchObject({ 'total-records': '0', 'total-files-size': '0' });
  });

  it('when manifests held only removed files, leaves them out of the next snapshot', async () => {
    await lake.load('m.overwrite', "SELECT 1::BIGINT AS id, 'x' AS v");
    expect(await rowsOf('m.overwrite')).toEqual([{ id: 1, v: 'x' }]);
  });
});

describe('overwrite_partition', () => {
  it('when rows fall into some partitions, replaces those and no other, null among them', async () => {
    const partitionBy = ['truncate(10, id)'];
    await lake.load('m.parts', "SELECT r AS id, 'old' AS v FROM range(30) t(r) UNION ALL SELECT NULL, 'old'", {
      partitionBy,
    });
    await lake.load('m.parts', "SELECT 12::BIGINT AS id, 'new' AS v UNION ALL SELECT NULL, 'new'", {
      mode: 'overwrite_partition',
      partitionBy,
    });
    const counted = await lake.query('m.parts', 'SELECT v, count(*)::INTEGER AS n FROM live GROUP BY v ORDER BY v');
    expect(counted).toEqual([
      { v: 'new', n: 2 },
      { v: 'old', n: 20 },
    ]);
    expect((await summaries('m.parts'))?.at(-1)).toMatchObject({ 'deleted-records': '11', 'total-records': '22' });
  });

  it('when the table has no partitions, replaces everything', async () => {
    await lake.load('m.whole', "SELECT r AS id, 'old' AS v FROM range(3) t(r)");
    await lake.load('m.whole', "SELECT 1::BIGINT AS id, 'new' AS v", { mode: 'overwrite_partition' });
    expect(await rowsOf('m.whole')).toEqual([{ id: 1, v: 'new' }]);
  });
});

describe('merge', () => {
  const merge = { mode: 'merge' as const, mergeKeys: ['id'] };

  it('when keys are there, replaces their rows and adds the others, rewriting only files with such rows', async () => {
    await lake.load('m.merge', "SELECT r AS id, 'old' AS v FROM range(0, 10) t(r)", merge);
    await lake.load('m.merge', "SELECT r AS id, 'old' AS v FROM range(10, 20) t(r)", merge);
    // Its bounds include 5, its rows do not.
    await lake.load('m.merge', "SELECT * FROM (VALUES (-1::BIGINT, 'far'), (99, 'far')) t(id, v)");
    const before = (await lake.files('m.merge')).map((file) => file.path);
    await lake.load('m.merge', "SELECT * FROM (VALUES (5::BIGINT, 'new'), (50, 'new')) t(id, v)", merge);
    const after = (await lake.files('m.merge')).map((file) => file.path);
    expect(before.filter((path) => !after.includes(path))).toHaveLength(1);
    expect(await lake.query('m.merge', "SELECT id::INTEGER AS id FROM live WHERE v = 'new' ORDER BY id")).toEqual([
      { id: 5 },
      { id: 50 },
    ]);
    const [counted] = await lake.query(
      'm.merge',
      'SELECT count(*)::INTEGER AS n, count(DISTINCT id)::INTEGER AS d FROM live',
    );
    expect(counted).toEqual({ n: 23, d: 23 });
    expect((await summaries('m.merge'))?.at(-1)).toMatchObject({ operation: 'overwrite', 'total-records': '23' });
  });

  it('when a row moves to another partition, is found where it was', async () => {
    const options = { ...merge, partitionBy: ['v'] };
    await lake.load('m.moves', "SELECT r AS id, 'p' || r % 2 AS v FROM range(4) t(r)", options);
    await lake.load('m.moves', "SELECT 0::BIGINT AS id, 'p1' AS v", options);
    expect(await rowsOf('m.moves')).toEqual([
      { id: 0, v: 'p1' },
      { id: 1, v: 'p1' },
      { id: 2, v: 'p0' },
      { id: 3, v: 'p1' },
    ]);
    const files = await lake.files('m.moves');
    expect(files.map((file) => `${String(file.partition[0])}:${file.recordCount}`).sort()).toEqual([
      'p0:1',
      'p1:1',
      'p1:2',
    ]);
  });

  it('when columns are named like those that DuckDB makes up, keeps them', async () => {
    const rows = (v: string) =>
      `SELECT r AS id, 7 AS file_index, '${v}' AS filename, r AS partition_0, {'source_rows': r} AS source_rows FROM range(3) t(r)`;
    const options = { ...merge, partitionBy: ['bucket(2, id)'] };
    await lake.load('m.names', rows('old'), options);
    await lake.load('m.names', `FROM (${rows('new')}) WHERE id = 1`, options);
    const read = await lake.query(
      'm.names',
      'SELECT id::INTEGER AS id, file_index, filename, partition_0::INTEGER AS p, source_rows.source_rows::INTEGER AS s FROM live ORDER BY id',
    );
    expect(read).toEqual([
      { id: 0, file_index: 7, filename: 'old', p: 0, s: 0 },
      { id: 1, file_index: 7, filename: 'new', p: 1, s: 1 },
      { id: 2, file_index: 7, filename: 'old', p: 2, s: 2 },
    ]);
  });

  it('when files are from before a column was added or widened, rewrites them as the table is now', async () => {
    await lake.load('m.evolved', "SELECT r::INTEGER AS id, {'x': r} AS s FROM range(3) t(r)", merge);
    const rows = "SELECT 3000000000 AS id, {'x': 7::BIGINT, 'y': 'in'} AS s, 'extra' AS more";
    await lake.load('m.evolved', rows, { ...merge, schemaEvolution: 'add_columns' });
    await lake.load('m.evolved', "SELECT 1::BIGINT AS id, {'x': 8::BIGINT, 'y': 'new'} AS s, 'changed' AS more", merge);
    expect(await lake.query('m.evolved', 'SELECT id, s.x::INTEGER AS x, s.y AS y, more FROM live ORDER BY id')).toEqual(
      [
        { id: '0', x: 0, y: null, more: null },
        { id: '1', x: 8, y: 'new', more: 'changed' },
        { id: '2', x: 2, y: null, more: null },
        { id: '3000000000', x: 7, y: 'in', more: 'extra' },
      ],
    );
  });

  it('when there are no rows, changes none', async () => {
    const before = await rowsOf('m.merge');
    await lake.load('m.merge', "SELECT 1::BIGINT AS id, 'x' AS v WHERE false", merge);
    expect(await rowsOf('m.merge')).toEqual(before);
  });

  it.each([
    [
      'a key occurs twice',
      'SELECT 1::BIGINT AS id, r::VARCHAR AS v FROM range(2) t(r)',
      ['id'],
      /1 merge keys \(id\) occur/,
    ],
    ['a key is null', "SELECT NULL::BIGINT AS id, 'x' AS v", ['id'], /1 rows have no value in a merge key/],
    ['a key is no column', "SELECT 1::BIGINT AS id, 'x' AS v", ['nope'], /merge_keys names nope/],
  ])('when %s, is refused and leaves nothing', async (_name, sql, mergeKeys, message) => {
    const files = await lake.everyFile();
    await expect(lake.load('m.merge', sql, { mode: 'merge', mergeKeys })).rejects.toThrow(
      expect.objectContaining({ type: 'ValidationError', message: expect.stringMatching(message) as string }),
    );
    expect(await lake.everyFile()).toEqual(files);
  });
});
