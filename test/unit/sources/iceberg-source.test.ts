import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseTableIdentifier, type IcebergCatalog } from '../../../src/engines/iceberg/catalog.ts';
import { currentSchema } from '../../../src/engines/iceberg/table-metadata.ts';
import type { TableUpdate } from '../../../src/engines/iceberg/table-changes.ts';
import { extractIceberg, type IcebergExtraction } from '../../../src/engines/sources/iceberg-source.ts';
import type { Dataset } from '../../../src/engines/dataset.ts';
import { EngineFixture } from '../../support/engine-fixture.ts';
import { Lake } from '../iceberg/lake.ts';

let lake: Lake;
let fixture: EngineFixture;
beforeEach(async () => {
  lake = await Lake.open();
  fixture = await EngineFixture.create();
});
afterEach(async () => {
  await lake.close();
  await fixture.dispose();
});

const TABLE = 'o.t';

async function extract(
  source: { table?: string; snapshot_id?: string } = {},
  options: Partial<IcebergExtraction> = {},
): Promise<Dataset> {
  return extractIceberg(
    fixture.engine,
    {
      source: { type: 'iceberg', table: TABLE, ...source },
      catalog: lake.catalog,
      outputFolder: await fixture.outputFolder(),
      ...options,
    },
    fixture.context,
  );
}

const change = (updates: TableUpdate[]) => lake.catalog.commitTable(parseTableIdentifier(TABLE), [], updates);

/** The lake's catalog; `happens` after the table was looked up and before it is read. */
function before(happens: () => Promise<unknown>): IcebergCatalog {
  const { catalog } = lake;
  return {
    loadTable: async (identifier) => {
      const loaded = await catalog.loadTable(identifier);
      await happens();
      return loaded;
    },
    stageTable: (identifier, table) => catalog.stageTable(identifier, table),
    commitTable: (identifier, requirements, updates) => catalog.commitTable(identifier, requirements, updates),
    close: () => Promise.resolve(),
  };
}

/** The schema with its fields changed becomes the current one. */
async function evolve(fields: (now: ReturnType<typeof currentSchema>['fields']) => unknown[]): Promise<void> {
  const metadata = await lake.metadata(TABLE);
  const schema = currentSchema(metadata);
  const changed = { ...schema, 'schema-id': schema['schema-id'] + 1, fields: fields(schema.fields) };
  await change([
    { action: 'add-schema', schema: changed as typeof schema, 'last-column-id': metadata['last-column-id'] + 1 },
    { action: 'set-current-schema', 'schema-id': -1 },
  ]);
}

describe('a table as a source', () => {
  it('when it has rows, gives those of its current snapshot, whatever it is partitioned by', async () => {
    await lake.load(TABLE, `SELECT i AS k, i % 3 AS part, 'x' || i AS note FROM range(10) r(i)`, {
      partitionBy: ['part'],
    });
    await lake.load(TABLE, `SELECT 10 AS k, 1 AS part, NULL::VARCHAR AS note`);
    const dataset = await extract();
    expect(dataset).toMatchObject({ rows: 11 });
    expect(await fixture.rows(dataset, 'SELECT k, part, note FROM data ORDER BY k DESC LIMIT 2')).toEqual([
      { k: '10', part: '1', note: null },
      { k: '9', part: '0', note: 'x9' },
    ]);
    expect(fixture.logged.at(-1)).toMatch(/^info: reading o\.t, snapshot \d+: 4 of 4 data files$/);
  });

  it('when a snapshot is named, gives its rows under its columns', async () => {
    const { snapshotId } = await lake.load(TABLE, 'SELECT 1 AS k');
    await lake.load(TABLE, `SELECT 2 AS k, 'new' AS added`, { schemaEvolution: 'add_columns' });
    expect(await fixture.rows(await extract({ snapshot_id: snapshotId ?? '' }))).toEqual([{ k: 1 }]);
    expect(await fixture.rows(await extract(), 'FROM data ORDER BY k')).toEqual([
      { k: 1, added: null },
      { k: 2, added: 'new' },
    ]);
  });

  it('when columns were renamed, reordered, widened and dropped, has those of now, found by their ids', async () => {
    await lake.load(TABLE, `SELECT 1::INTEGER AS a, 'x' AS b, 0.5::FLOAT AS c, true AS gone`);
    await evolve(([a, b, c]) => [
      { ...c, type: 'double' },
      { ...b, name: 'a' },
      { ...a, name: 'b', type: 'long' },
    ]);
    const dataset = await extract();
    expect(await fixture.rows(dataset)).toEqual([{ c: 0.5, a: 'x', b: '1' }]);
    expect(await fixture.types(dataset)).toEqual({ c: 'DOUBLE', a: 'VARCHAR', b: 'BIGINT' });
  });

  it('when a column was dropped and another made under its name, does not show the old values', async () => {
    await lake.load(TABLE, `SELECT 1 AS k, 'old' AS v`);
    await evolve(([k, v]) => [k, { ...v, id: 3 }]);
    expect(await fixture.rows(await extract())).toEqual([{ k: 1, v: null }]);
  });

  it('when structs and lists got new fields, has null in them', async () => {
    await lake.load(TABLE, `SELECT {a: 1} AS s, [{b: 2}] AS l`);
    const more = `SELECT {a: 3, n: 'x'} AS s, [{b: 4, n: 5}] AS l`;
    await lake.load(TABLE, more, { schemaEvolution: 'add_columns' });
    expect(await fixture.rows(await extract(), 'FROM data ORDER BY s.a')).toEqual([
      { s: { a: 1, n: null }, l: [{ b: 2, n: null }] },
      { s: { a: 3, n: 'x' }, l: [{ b: 4, n: 5 }] },
    ]);
  });

  it('when it has no rows, gives none, with its columns', async () => {
    await lake.load(TABLE, `SELECT 1 AS k, {a: 1} AS s WHERE false`);
    const dataset = await extract();
    expect(dataset).toMatchObject({ rows: 0 });
    expect(await fixture.types(dataset)).toEqual({ k: 'INTEGER', s: 'STRUCT(a INTEGER)' });
  });

  it('when others commit while it is read, shows nothing of that', async () => {
    await lake.load(TABLE, 'SELECT 1 AS k');
    const catalog = before(() => lake.load(TABLE, 'SELECT 2 AS k', { mode: 'overwrite' }));
    expect(await fixture.rows(await extract({}, { catalog }))).toEqual([{ k: 1 }]);
  });
});

describe('a table as a source, read for an interval', () => {
  const interval = { startIso: '2024-03-02T00:00:00.000+01:00', endIso: '2024-03-03T00:00:00.000+01:00' };

  it.for([
    ['date', `DATE '2024-02-28' + i::INTEGER`, 'day(at)', ['3']],
    ['timestamp', `TIMESTAMP '2024-03-01 12:00:00' + INTERVAL (i * 6) HOUR`, 'day(at)', ['2', '3', '4', '5']],
    ['timestamptz', `TIMESTAMPTZ '2024-03-01 17:00:00+00' + INTERVAL (i * 6) HOUR`, 'hour(at)', ['1', '2', '3', '4']],
  ] as const)('when the column is %s, opens only files that may have rows of it', async ([, sql, partition, ks]) => {
    await lake.load(TABLE, `SELECT i AS k, ${sql} AS at FROM range(10) r(i)`, { partitionBy: [partition] });
    const dataset = await extract({}, { interval: { column: 'At', ...interval } });
    expect(await fixture.rows(dataset, 'SELECT k FROM data ORDER BY k')).toEqual(ks.map((k) => ({ k })));
    const [, opened, all] = /: (\d+) of (\d+) data files$/.exec(fixture.logged.at(-1) ?? '') ?? [];
    expect(Number(opened)).toBeLessThan(Number(all));
  });

  it('when it does not have the column, gives all rows', async () => {
    await lake.load(TABLE, 'SELECT 1 AS k');
    expect(await extract({}, { interval: { column: 'at', ...interval } })).toMatchObject({ rows: 1 });
  });

  it('when no file may have rows of it, gives none', async () => {
    await lake.load(TABLE, `SELECT DATE '2020-01-01' AS at`);
    const dataset = await extract({}, { interval: { column: 'at', ...interval } });
    expect(dataset).toMatchObject({ rows: 0 });
    expect(await fixture.types(dataset)).toEqual({ at: 'DATE' });
  });
});

describe('a source that cannot be read', () => {
  it('when there is no such table, says so', async () => {
    await expect(extract()).rejects.toMatchObject({ type: 'ValidationError', message: 'there is no table o.t' });
  });

  it('when there is no such snapshot, says so', async () => {
    await lake.load(TABLE, 'SELECT 1 AS k');
    const message = expect.stringContaining('no snapshot 7') as string;
    await expect(extract({ snapshot_id: '7' })).rejects.toMatchObject({ type: 'ValidationError', message });
  });

  it('when fields inside a struct were renamed, is refused', async () => {
    await lake.load(TABLE, 'SELECT {a: 1} AS s');
    await evolve(([s]) => [
      { ...s, type: { type: 'struct', fields: [{ id: 2, name: 'b', required: false, type: 'int' }] } },
    ]);
    await expect(extract()).rejects.toMatchObject({ type: 'UnsupportedError' });
  });

  it('when two columns differ only in case, is refused', async () => {
    await lake.load(TABLE, 'SELECT 1 AS k, 2 AS v');
    await evolve(([k, v]) => [k, { ...v, name: 'K' }]);
    const message = expect.stringContaining('only in case') as string;
    await expect(extract()).rejects.toMatchObject({ type: 'UnsupportedError', message });
  });

  it.for(['manifest list', 'manifest', 'data file'])('when a %s is gone, fails for now', async (what) => {
    await lake.load(TABLE, 'SELECT 1 AS k');
    const folder = join(lake.folder, 'warehouse/o/t');
    const kinds = { 'manifest list': /snap-.*\.avro$/, manifest: /\/(?!snap-)[^/]*\.avro$/, 'data file': /\.parquet$/ };
    const catalog = before(async () => {
      const files = (await readdir(folder, { recursive: true })).map((name) => join(folder, name));
      const gone = files.filter((file) => kinds[what as keyof typeof kinds].test(file));
      expect(gone).toHaveLength(1);
      await rm(gone[0] ?? '');
    });
    const outputFolder = await fixture.outputFolder();
    await expect(extract({}, { catalog, outputFolder })).rejects.toMatchObject({ type: 'UnavailableError' });
    expect(await readdir(outputFolder)).toEqual([]);
  });
});
