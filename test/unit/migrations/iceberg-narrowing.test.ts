/**
 * A migration that widened columns is put back after somebody else wrote in the wider types. The catalog, the files and
 * DuckDB are real; the somebody is this service's loads, as another pipeline makes them.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseTableIdentifier } from '../../../src/engines/iceberg/catalog.ts';
import type { DataFile } from '../../../src/engines/iceberg/data-file.ts';
import { currentManifests } from '../../../src/engines/iceberg/live-files.ts';
import { currentSchema, currentSnapshot, defaultSpec } from '../../../src/engines/iceberg/table-metadata.ts';
import { Lake } from '../iceberg/lake.ts';
import { NARROW, ROWS, WIDER, WidenedTable } from './widened-tables.ts';

let lake: Lake;
beforeAll(async () => {
  lake = await Lake.open();
});
afterAll(() => lake.close());

/** Each bound of a partition of an int has four bytes (Iceberg spec, Appendix D). */
async function partitionBounds(table: WidenedTable): Promise<number[]> {
  const { metadata, io } = await table.loaded();
  const manifests = await currentManifests(metadata, io);
  const bounds = manifests
    .flatMap(({ partitions }) => partitions ?? [])
    .flatMap((one) => [one.lowerBound, one.upperBound]);
  return bounds.flatMap((bound) => (bound === null ? [] : [bound.length]));
}

describe('a restore of widened columns, when others wrote in the wider types', () => {
  test('and all other kinds of changes were made, leaves all rows there in files of the types before', async () => {
    const table = await WidenedTable.make(lake, {
      changes: [
        ...WIDER,
        { op: 'add_column', column: 'added', type: 'string' },
        { op: 'rename_column', column: 'note', to: 'remark' },
        { op: 'drop_column', column: 'gone' },
        { op: 'set_nullable', column: 'part' },
        { op: 'set_partition_by', partition_by: ['month(d)', 'bucket(4, k)', 'truncate(50, price)'] },
      ],
    });
    const foreign = `SELECT * FROM (VALUES
      (2147483647::BIGINT, 0::INTEGER, 'most', 'nan'::DOUBLE, DATE '2024-03-01', 9999999.99::DECIMAL(12, 2), 'a'),
      (-2147483648, 1, 'least', '-inf', DATE '2024-03-02', -9999999.99, 'b'),
      (100, 2, 'zero', '-0.0'::DOUBLE, DATE '2024-04-01', 0.01, 'c'),
      (101, 2, 'tenth', 0.1::FLOAT::DOUBLE, NULL, NULL, 'd'),
      (NULL, 0, NULL, NULL, NULL, NULL, NULL)) AS t(k, part, remark, f, d, price, added)`;
    await lake.load(table.name, foreign);
    await table.add(102);
    const { changed, notes } = await table.restore();
    expect(changed).toBe(true);
    expect(notes[1]).toMatch(/^\d files that others wrote since were written anew, in the types before$/);

    const after = await table.metadata();
    expect(currentSchema(after)).toEqual(currentSchema(table.before));
    expect(defaultSpec(after)).toEqual(defaultSpec(table.before));
    expect(currentSnapshot(after)).toMatchObject({
      summary: { operation: 'replace', 'total-records': '12' },
      'schema-id': table.before['current-schema-id'],
    });
    expect(await table.stored()).toEqual(NARROW);
    expect(
      await lake.query(
        table.name,
        `SELECT k, part, note, f::VARCHAR AS f, d::VARCHAR AS d, price::VARCHAR AS price, gone FROM live
          WHERE k NOT IN (0, 1, 2, 3, 4, 5) OR k IS NULL ORDER BY k`,
      ),
    ).toEqual([
      { k: -2147483648, part: 1, note: 'least', f: '-inf', d: '2024-03-02', price: '-9999999.99', gone: null },
      { k: 100, part: 2, note: 'zero', f: '-0.0', d: '2024-04-01', price: '0.01', gone: null },
      { k: 101, part: 2, note: 'tenth', f: '0.1', d: null, price: null, gone: null },
      { k: 102, part: 1, note: null, f: null, d: null, price: null, gone: null },
      { k: 2147483647, part: 0, note: 'most', f: 'nan', d: '2024-03-01', price: '9999999.99', gone: null },
      { k: null, part: 0, note: null, f: null, d: null, price: null, gone: null },
    ]);
    const own = await lake.query(table.name, `SELECT gone FROM live WHERE k IN (0, 5) ORDER BY k`);
    expect(own).toEqual([{ gone: 'gone 0' }, { gone: 'gone 5' }]);
    const files = await table.files();
    expect(new Set(files.map(({ specId }) => specId))).toEqual(new Set([0, 1]));
    for (const { lowerBounds, upperBounds, nanCounts } of files) {
      for (const bounds of [lowerBounds, upperBounds]) {
        for (const id of [1, 4]) expect([undefined, 4]).toContain(bounds?.get(id)?.length);
      }
      expect(nanCounts?.has(4)).toBe(true);
    }

    expect(await table.restore()).toEqual({ changed: true, notes: [] });
    expect(await table.metadata()).toEqual(after);
    expect(await table.orphans()).toBe(0);
    // And everybody goes on.
    await lake.load(table.name, `SELECT 100::INTEGER AS k, 2::INTEGER AS part, 1.5::FLOAT AS f`, {
      mode: 'merge',
      mergeKeys: ['k'],
    });
    expect(await lake.query(table.name, 'SELECT f::VARCHAR AS f FROM live WHERE k = 100')).toEqual([{ f: '1.5' }]);
  });

  test('and the table is partitioned by them, has partition values of the types before', async () => {
    const partitionBy = ['bucket(4, k)', 'truncate(10, k)', 'truncate(50, price)'];
    const wide = `SELECT * FROM (VALUES (-2147483648::BIGINT, 0::INTEGER, -9999999.99::DECIMAL(12, 2)), (2147483647, 1, 12.34),
      (-1, 2, -0.01), (NULL, NULL, NULL)) AS t(k, part, price)`;
    const table = await WidenedTable.make(lake, { partitionBy });
    await lake.load(table.name, wide);
    await table.restore();
    // As they would be had the rows been written without any migration.
    const twin = `${table.name}_twin`;
    await lake.load(twin, ROWS, { partitionBy });
    await lake.load(twin, `SELECT k::INTEGER AS k, part, price::DECIMAL(9, 2) AS price FROM (${wide})`);
    const partitions = async (of: string) =>
      new Set((await lake.files(of)).map(({ partition, recordCount }) => `${partition.join()} ${recordCount}`));
    expect(await partitions(table.name)).toEqual(await partitions(twin));
    expect(await lake.query(table.name, 'SELECT count(*)::INTEGER AS n FROM live')).toEqual([{ n: 10 }]);
    expect(await table.stored()).toEqual(NARROW);
  });

  test('and replaced files in it, has manifests in the types before, also those of files that stayed', async () => {
    const table = await WidenedTable.make(lake, { partitionBy: ['k'] });
    await table.add(2147483647);
    // As another engine does: it does not wait for a migration.
    const identifier = parseTableIdentifier(table.name);
    const value = (await table.metadata()).properties?.[table.marker] ?? '';
    await lake.catalog.commitTable(identifier, [], [{ action: 'remove-properties', removals: [table.marker] }]);
    await table.add(1, { mode: 'overwrite_partition' });
    await lake.catalog.commitTable(identifier, [], [{ action: 'set-properties', updates: { [table.marker]: value } }]);
    expect(await partitionBounds(table)).toContain(8);
    await table.restore();
    expect(new Set(await partitionBounds(table))).toEqual(new Set([4]));
    expect(await table.keys()).toEqual(['0', '1', '2', '3', '4', '5', '2147483647']);
    const files = await table.files();
    expect(files.map(({ partition }) => String(partition[0])).toSorted()).toEqual((await table.keys()).toSorted());
    expect(await table.stored()).toEqual(NARROW);
  });

  test('and had not seen the wider types when they wrote decimals, leaves their files as they are', async () => {
    const table = await WidenedTable.make(lake, { changes: WIDER.slice(2) });
    const { io } = await table.loaded();
    const before = await table.files();
    const [file] = before;
    const path = `${file?.path ?? ''}.again.parquet`;
    await io.write(path, await io.read(file?.path ?? ''));
    await table.addFiles([{ ...file, path } as DataFile]);
    expect((await table.restore()).notes).toEqual(['what others wrote since was kept']);
    expect(await table.files()).toHaveLength(before.length + 1);
    expect(currentSnapshot(await table.metadata())?.summary.operation).toBe('append');
  });
});
