import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CommitConflict, type LoadedTable, parseTableIdentifier } from '../../../src/engines/iceberg/catalog.ts';
import { compactTable } from '../../../src/engines/iceberg/maintenance/compact-table.ts';
import { creationUpdates } from '../../../src/engines/iceberg/staged-table.ts';
import { currentSchema, defaultSpec, type TableMetadata } from '../../../src/engines/iceberg/table-metadata.ts';
import { createIcebergMigrator } from '../../../src/engines/migrations/iceberg-migrator.ts';
import { Lake } from '../iceberg/lake.ts';
import { meddled, migrationOf } from './iceberg-migration.ts';

let lake: Lake;
let count = 0;
beforeAll(async () => {
  lake = await Lake.open();
});
afterAll(() => lake.close());

const ROWS = `SELECT i::INTEGER AS k, (i % 3)::INTEGER AS part, 'note ' || i AS note, i::FLOAT AS f, DATE '2024-01-01' + i::INTEGER AS d,
  (i / 4)::DECIMAL(9, 2) AS price FROM range(20) AS r(i)`;

async function madeTable(): Promise<string> {
  count += 1;
  const table = `ns.t${count}`;
  await lake.load(table, ROWS, { partitionBy: ['part'] });
  return table;
}

const migration = (table: string, changes: unknown[], name = `m${count}.1/0`) => migrationOf(table, changes, name);

/** All that a migration may change, less what it leaves on purpose. */
function picture(metadata: TableMetadata): unknown {
  const { refs, properties } = metadata;
  return {
    schema: currentSchema(metadata),
    spec: defaultSpec(metadata),
    comment: properties?.['comment'],
    tags: Object.keys(refs ?? {}).filter((name) => name !== 'main'),
    snapshot: metadata['current-snapshot-id'],
  };
}

const migrator = () => createIcebergMigrator(lake);

const ALL_CHANGES = [
  { op: 'add_column', column: 'added', type: 'decimal(10,2)', comment: 'new' },
  { op: 'drop_column', column: 'price' },
  { op: 'rename_column', column: 'note', to: 'remark' },
  { op: 'retype_column', column: 'k', type: 'long' },
  { op: 'retype_column', column: 'f', type: 'double' },
  { op: 'set_comment', column: 'remark', comment: 'what was said' },
  { op: 'set_comment', comment: 'all of it' },
  { op: 'set_nullable', column: 'part' },
  { op: 'set_partition_by', partition_by: ['month(d)', 'part', 'bucket(4, k)'] },
];

describe('a migration of an Iceberg table in the embedded catalog', () => {
  test('when all its calls are made twice and it is restored, leaves schema, spec and snapshot as they were', async () => {
    const table = await madeTable();
    const before = await lake.metadata(table);
    const run = migration(table, ALL_CHANGES);
    const validated = await migrator().validate(run);
    expect(validated).toMatchObject({
      rows: 20,
      touched: ['k', 'note', 'f', 'price'],
      after: [
        { name: 'k', type: 'long' },
        { name: 'part', type: 'int' },
        { name: 'remark', type: 'string', comment: 'what was said' },
        { name: 'f', type: 'double' },
        { name: 'd', type: 'date' },
        { name: 'added', type: 'decimal(10, 2)', comment: 'new', required: false },
      ],
    });
    expect(await lake.metadata(table)).toEqual(before);
    const backup = await migrator().backUp(run);
    expect(await migrator().backUp(run)).toEqual(backup);
    await migrator().apply(run, backup);
    const applied = await lake.metadata(table);
    await migrator().apply(run, backup);
    expect(await lake.metadata(table)).toEqual(applied);
    expect(applied['partition-specs'].at(-1)?.fields).toEqual([
      { 'source-id': 5, 'field-id': 1001, name: 'd_month', transform: 'month' },
      { 'source-id': 2, 'field-id': 1000, name: 'part', transform: 'identity' },
      { 'source-id': 1, 'field-id': 1002, name: 'k_bucket', transform: 'bucket[4]' },
    ]);
    expect(await migrator().verify(run, backup)).toEqual({ rows: 20 });
    expect(await migrator().restore(run, backup)).toEqual({ changed: true, notes: [] });
    expect(picture(await lake.metadata(table))).toEqual(picture(before));
    expect(await migrator().restore(run, backup)).toEqual({ changed: true, notes: [] });
    await expect(migrator().apply(run, backup)).rejects.toMatchObject({ type: 'SchemaConflictError' });
    await migrator().release(run, backup);
    await migrator().release(run, backup);
    expect(picture(await lake.metadata(table))).toEqual(picture(before));
  });

  test('when it is over, keeps what it changed and no tag, and is not undone any more', async () => {
    const table = await madeTable();
    const run = migration(table, ALL_CHANGES);
    const backup = await migrator().backUp(run);
    await migrator().apply(run, backup);
    await migrator().release(run, backup);
    const metadata = await lake.metadata(table);
    expect(Object.keys(metadata.refs ?? {})).toEqual(['main']);
    await expect(migrator().restore(run, backup)).rejects.toMatchObject({
      message: expect.stringMatching(/over/) as string,
    });
    await expect(migrator().apply(run, backup)).rejects.toMatchObject({ type: 'SchemaConflictError' });
    const { before } = await migrator().validate(migration(table, [{ op: 'set_comment', comment: 'x' }]));
    expect(before.map(({ name }) => name)).toEqual(['k', 'part', 'remark', 'f', 'd', 'added']);
  });

  test('when a partitioning comes back, takes up spec and field ids that the table had', async () => {
    const table = await madeTable();
    for (const [at, fields] of [['day(d)'], ['part', 'day(d)'], ['part']].entries()) {
      const run = migration(table, [{ op: 'set_partition_by', partition_by: fields }], `specs.1/${at}`);
      await migrator().apply(run, await migrator().backUp(run));
    }
    const metadata = await lake.metadata(table);
    expect(metadata['partition-specs'].map(({ fields }) => fields.map((field) => field['field-id']))).toEqual([
      [1000],
      [1001],
      [1000, 1001],
    ]);
    expect(metadata['default-spec-id']).toBe(0);
    expect(metadata['last-partition-id']).toBe(1001);
  });

  test.for([
    [{ op: 'drop_column', column: 'nope' }, 'no column nope'],
    [{ op: 'drop_column', column: 'part' }, 'partitioned by part'],
    [{ op: 'rename_column', column: 'k', to: 'NOTE' }, 'has a column note already'],
    [{ op: 'rename_column', column: 'k', to: 'st.a' }, 'inside a struct'],
    [{ op: 'add_column', column: 'K', type: 'int' }, 'has a column k already'],
    [{ op: 'add_column', column: 'x', type: 'serial' }, 'there is no type serial'],
    [{ op: 'add_column', column: 'x', type: 'int', default: 1 }, 'no defaults'],
    [{ op: 'add_column', column: 'x', type: 'time' }, 'Spark reads no time of day'],
    [{ op: 'set_default', column: 'k', default: 1 }, 'no defaults'],
    [{ op: 'set_required', column: 'k' }, 'cannot make a column required'],
    [{ op: 'retype_column', column: 'k', type: 'string' }, 'no string of it'],
    [{ op: 'retype_column', column: 'price', type: 'decimal(12, 3)' }, 'no decimal(12, 3) of it'],
    [{ op: 'retype_column', column: 'price', type: 'decimal(8, 2)' }, 'no decimal(8, 2) of it'],
    [{ op: 'retype_column', column: 'k', type: 'long', using: 'k' }, 'PostgreSQL'],
    [{ op: 'set_partition_by', partition_by: ['hour(d)'] }, 'hour of d is not possible'],
    [{ op: 'set_partition_by', partition_by: ['nope'] }, 'names nope'],
  ] as const)('when it asks for %j, is refused and named', async ([change, message]) => {
    const table = await madeTable();
    const run = migration(table, [{ op: 'set_comment', comment: 'first' }, change]);
    await expect(migrator().validate(run)).rejects.toMatchObject({
      type: 'SchemaConflictError',
      message: expect.stringMatching(new RegExp(`^changes\\.1 \\(${change.op}\\): .*${escaped(message)}`)) as string,
    });
  });

  test('when it would partition by a column that it adds, is refused: a spec stays when the column goes', async () => {
    const run = migration(await madeTable(), [
      { op: 'add_column', column: 'region', type: 'string' },
      { op: 'set_partition_by', partition_by: ['bucket(4, region)'] },
    ]);
    await expect(migrator().validate(run)).rejects.toMatchObject({
      type: 'SchemaConflictError',
      message: expect.stringMatching(/^changes\.1 .*region is added by this migration/) as string,
    });
  });

  test('when the table has no rows yet, is backed up, applied and restored like any other', async () => {
    count += 1;
    const table = `ns.t${count}`;
    const staged = await lake.catalog.stageTable(parseTableIdentifier(table), {
      schema: { type: 'struct', fields: [{ id: 1, name: 'a', required: true, type: 'int' }] },
      lastColumnId: 1,
      spec: { 'spec-id': 0, fields: [] },
    });
    const updates = creationUpdates(staged.metadata);
    await lake.catalog.commitTable(parseTableIdentifier(table), [{ type: 'assert-create' }], updates);
    const before = picture(await lake.metadata(table));
    const run = migration(table, [{ op: 'rename_column', column: 'a', to: 'b' }]);
    const backup = await migrator().backUp(run);
    await migrator().apply(run, backup);
    expect(await migrator().verify(run, backup)).toEqual({ rows: 0 });
    await migrator().restore(run, backup);
    expect(picture(await lake.metadata(table))).toEqual(before);
  });
});

describe('a migration of an Iceberg table, with others at work', () => {
  test('when they append all the time, is applied and restored, and their rows stay', async () => {
    const table = await madeTable();
    const more = () => lake.load(table, `SELECT 1::INTEGER AS k, 1::INTEGER AS part, DATE '2024-02-01' AS d`);
    const run = migration(table, [
      { op: 'add_column', column: 'added', type: 'string' },
      { op: 'rename_column', column: 'note', to: 'remark' },
      { op: 'drop_column', column: 'price' },
    ]);
    const before = currentSchema(await lake.metadata(table));
    await more();
    const backup = await migrator().backUp(run);
    await more();
    await Promise.all([more(), migrator().apply(run, backup), more()]);
    await more();
    const [, restored] = await Promise.all([more(), migrator().restore(run, backup), more()]);
    expect(restored.notes).toEqual(['what others wrote since was kept']);
    expect(currentSchema(await lake.metadata(table))).toEqual(before);
    expect(await lake.query(table, 'SELECT count(*)::INTEGER AS n FROM live')).toEqual([{ n: 27 }]);
  });

  test('when they would replace rows meanwhile, lets them wait; what another engine wrote anew is in the way of a restore', async () => {
    const table = await madeTable();
    const run = migration(table, [{ op: 'drop_column', column: 'note' }]);
    const backup = await migrator().backUp(run);
    await migrator().apply(run, backup);
    const merge = () =>
      lake.load(table, `SELECT 3::INTEGER AS k, 0::INTEGER AS part`, { mode: 'merge', mergeKeys: ['k'] });
    const waits = {
      type: 'UnavailableError',
      message: expect.stringMatching(/the schema migration .* is at work on the table/) as string,
    };
    await expect(merge()).rejects.toMatchObject(waits);
    const context = { signal: run.signal, log: run.log, progress: () => undefined };
    const sizes = { targetFileSizeBytes: 1 << 29, minInputFiles: 2 };
    const compaction = compactTable({ table, maintenanceId: 'm', ...sizes }, lake, context);
    await expect(compaction).rejects.toMatchObject(waits);

    const marker = `pipeline.migration.${run.name}`;
    const value = (await lake.metadata(table)).properties?.[marker] ?? '';
    const identifier = parseTableIdentifier(table);
    await lake.catalog.commitTable(identifier, [], [{ action: 'remove-properties', removals: [marker] }]);
    await merge();
    await lake.catalog.commitTable(identifier, [], [{ action: 'set-properties', updates: { [marker]: value } }]);
    const written = await lake.metadata(table);
    await expect(migrator().restore(run, backup)).rejects.toMatchObject({
      type: 'SchemaConflictError',
      message: expect.stringMatching(/not put back.*1 files were replaced since by ones without note/) as string,
    });
    expect(await lake.metadata(table)).toEqual(written);
  });

  test('when they changed the schema since, is not restored, and says so', async () => {
    const table = await madeTable();
    const run = migration(table, [{ op: 'rename_column', column: 'note', to: 'remark' }]);
    const backup = await migrator().backUp(run);
    await migrator().apply(run, backup);
    await lake.load(table, `SELECT 1::INTEGER AS k, 1::INTEGER AS part, 2 AS more`, { schemaEvolution: 'add_columns' });
    expect(await migrator().verify(run, backup)).toEqual({ rows: 21 });
    await expect(migrator().restore(run, backup)).rejects.toMatchObject({
      type: 'SchemaConflictError',
      message: expect.stringMatching(/others changed its schema since/) as string,
    });
  });

  test('when they changed it between backup and apply, is applied on top of that and restored to that', async () => {
    const table = await madeTable();
    const run = migration(table, [{ op: 'rename_column', column: 'note', to: 'remark' }]);
    const backup = await migrator().backUp(run);
    await lake.load(table, `SELECT 1::INTEGER AS k, 1::INTEGER AS part, 2 AS more`, { schemaEvolution: 'add_columns' });
    const theirs = currentSchema(await lake.metadata(table));
    await migrator().apply(run, backup);
    await migrator().restore(run, backup);
    expect(currentSchema(await lake.metadata(table))).toEqual(theirs);
  });
});

describe('a commit of a migration', () => {
  test('when its answer is lost, is found by its name and not made again', async () => {
    const table = await madeTable();
    const run = migration(table, [{ op: 'rename_column', column: 'note', to: 'remark' }]);
    const backup = await migrator().backUp(run);
    let lost = 0;
    const catalog = meddled(lake.catalog, async (send) => {
      const answer = await send();
      if (lost++ === 0) throw new Error('the connection was cut');
      return answer;
    });
    await createIcebergMigrator({ duckdb: lake.duckdb, catalog }).apply(run, backup);
    const metadata = await lake.metadata(table);
    expect(metadata.schemas).toHaveLength(2);
    expect(lost).toBe(1);
  });

  test('when it arrives only after a restore, changes nothing, whatever it was to change', async () => {
    for (const changes of [
      [{ op: 'set_comment', comment: 'late' }],
      [{ op: 'rename_column', column: 'note', to: 'late' }],
      [{ op: 'set_partition_by', partition_by: [] }],
    ]) {
      const table = await madeTable();
      const run = migration(table, changes);
      const backup = await migrator().backUp(run);
      const held: (() => Promise<LoadedTable>)[] = [];
      const stopped = new AbortController();
      const late = createIcebergMigrator({
        duckdb: lake.duckdb,
        catalog: meddled(lake.catalog, (send) => {
          held.push(send);
          stopped.abort(new Error('the process was stopped'));
          return Promise.reject(new Error('no answer'));
        }),
      }).apply({ ...run, signal: stopped.signal }, backup);
      await expect(late).rejects.toThrow('the process was stopped');
      expect(await migrator().restore(run, backup)).toEqual({ changed: false, notes: [] });
      const restored = await lake.metadata(table);
      expect(held).toHaveLength(1);
      await expect(held[0]?.()).rejects.toThrow(CommitConflict);
      await migrator().release(run, backup);
      await expect(held[0]?.()).rejects.toThrow(CommitConflict);
      expect(picture(await lake.metadata(table))).toEqual(picture(restored));
    }
  });
});

function escaped(text: string): string {
  return text.replaceAll(/[()]/g, '\\$&');
}
