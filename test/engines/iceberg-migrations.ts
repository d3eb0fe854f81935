/** Migrations of Iceberg tables, with Spark and pyiceberg at work in between and as readers of what is left. */
import { expect } from 'vitest';
import { parseTableIdentifier } from '../../src/engines/iceberg/catalog.ts';
import { currentSchema, defaultSpec } from '../../src/engines/iceberg/table-metadata.ts';
import { createIcebergMigrator } from '../../src/engines/migrations/iceberg-migrator.ts';
import type { TableMigration } from '../../src/engines/migrations/table-migrator.ts';
import { type IcebergTarget, migrationDocument } from '../../src/schemas/migration.ts';
import { READERS } from './judge.ts';
import type { Lakehouse, ModelledTable } from './lakehouse.ts';

const CHANGES = [
  { op: 'add_column', column: 'added', type: 'decimal(10, 2)', comment: 'new' },
  { op: 'drop_column', column: 'price' },
  { op: 'rename_column', column: 'note', to: 'remark' },
  { op: 'retype_column', column: 'k', type: 'long' },
  { op: 'retype_column', column: 'f', type: 'double' },
  { op: 'set_comment', comment: 'all of it' },
  { op: 'set_partition_by', partition_by: ['day(d)', 'part'] },
];

const ROWS = (
  from: number,
  to: number,
) => `SELECT i::INTEGER AS k, (i % 3)::INTEGER AS part, 'note ' || i AS note, i::FLOAT AS f,
  DATE '2024-01-01' + (i % 5)::INTEGER AS d, (i / 4)::DECIMAL(9, 2) AS price FROM range(${from}, ${to}) AS r(i)`;

function migration(table: ModelledTable, changes: unknown[], checks: unknown[] = []): TableMigration<IcebergTarget> {
  const target = { type: 'iceberg', table: table.name, changes, checks };
  const document = migrationDocument.parse({ name: 'm', targets: [target] });
  return {
    name: 'migration.1/0',
    target: document.targets[0] as IcebergTarget,
    signal: AbortSignal.timeout(100_000),
    log: () => undefined,
  };
}

async function shape(lakehouse: Lakehouse, table: ModelledTable): Promise<unknown> {
  const loaded = await lakehouse.catalog.loadTable(parseTableIdentifier(table.name));
  if (loaded === undefined) throw new Error('no table');
  const { metadata } = loaded;
  // Spark says that there are no identifiers where nothing was said.
  return [
    { 'identifier-field-ids': [], ...currentSchema(metadata) },
    defaultSpec(metadata),
    metadata.properties?.['comment'],
  ];
}

/** Applied and kept: both engines read the rows under the new schema, write on, and read again. */
export async function expectMigrated(lakehouse: Lakehouse, name: string): Promise<void> {
  const table = lakehouse.table(name);
  const migrator = createIcebergMigrator(lakehouse);
  await table.load({ sql: ROWS(0, 30), partitionBy: ['part'] });
  const run = migration(table, CHANGES);
  const { after } = await migrator.validate(run);
  const backup = await migrator.backUp(run);
  await lakehouse.judge.sql(`INSERT INTO matih.${name} VALUES (100, 1, 'Spark', 1.5, DATE '2024-03-01', 2.25)`);
  await table.alterModel(`INSERT INTO ${table.model} VALUES (100, 1, 'Spark', 1.5, DATE '2024-03-01', 2.25)`);
  await migrator.apply(run, backup);
  await table.alterModel(`CREATE OR REPLACE TABLE ${table.model} AS
    SELECT k::BIGINT AS k, part, note AS remark, f::DOUBLE AS f, d, NULL::DECIMAL(10, 2) AS added FROM ${table.model}`);
  await table.expectSound();
  expect((await lakehouse.judge.schema('pyiceberg', name)).map(([column]) => column)).toEqual(
    after.map((column) => column.name),
  );
  const inserted = `VALUES (5000000000, 2, 'Spark', 1.25, DATE '2024-03-02', 3.5)`;
  await lakehouse.judge.sql(`INSERT INTO matih.${name} ${inserted}`);
  await table.alterModel(`INSERT INTO ${table.model} ${inserted}`);
  const appended = `SELECT 7::BIGINT AS k, 0::INTEGER AS part, 'pyiceberg' AS remark, 0.5::DOUBLE AS f, DATE '2024-03-03' AS d, 1::DECIMAL(10, 2) AS added`;
  await lakehouse.judge.append(name, await lakehouse.parquet(appended));
  await table.alterModel(`INSERT INTO ${table.model} ${appended}`);
  await migrator.verify(run, backup);
  await migrator.release(run, backup);
  await table.expectSound();
  const planned = await table.expectFiltered({
    sql: `d = DATE '2024-03-02' AND part = 2`,
    pyiceberg: `And(EqualTo('d', '2024-03-02'), EqualTo('part', 2))`,
  });
  expect(planned.spark).toBeLessThan(6);
}

/** Applied and restored, with both engines writing in between: shape as before, all rows there. */
export async function expectRestored(lakehouse: Lakehouse, name: string): Promise<void> {
  const table = lakehouse.table(name);
  const migrator = createIcebergMigrator(lakehouse);
  await table.load({ sql: ROWS(0, 30), partitionBy: ['part'] });
  const before = await shape(lakehouse, table);
  const run = migration(table, CHANGES);
  const backup = await migrator.backUp(run);
  await migrator.apply(run, backup);
  await lakehouse.judge.sql(
    `INSERT INTO matih.${name} (k, part, remark, f, d, added) VALUES (100, 1, 'Spark', 1.5, DATE '2024-03-01', 9)`,
  );
  const appended = `SELECT 101::BIGINT AS k, 0::INTEGER AS part, 'pyiceberg' AS remark, 0.5::DOUBLE AS f, DATE '2024-03-03' AS d, 1::DECIMAL(10, 2) AS added`;
  await lakehouse.judge.append(name, await lakehouse.parquet(appended));
  expect((await migrator.restore(run, backup)).changed).toBe(true);
  expect(await shape(lakehouse, table)).toEqual(before);
  await table.alterModel(
    `INSERT INTO ${table.model} VALUES (100, 1, 'Spark', 1.5, DATE '2024-03-01', NULL), (101, 0, 'pyiceberg', 0.5, DATE '2024-03-03', NULL)`,
  );
  await table.expectSound();
  // And everybody goes on.
  await table.load({ sql: ROWS(200, 210) });
  await lakehouse.judge.sql(`INSERT INTO matih.${name} VALUES (102, 2, 'later', 2.5, DATE '2024-03-04', 1.25)`);
  await table.alterModel(`INSERT INTO ${table.model} VALUES (102, 2, 'later', 2.5, DATE '2024-03-04', 1.25)`);
  await migrator.release(run, backup);
  await table.expectSound();
}

/** Of which both engines write files that readers of the types before do not take. */
const WIDENED = [
  { op: 'add_column', column: 'added', type: 'decimal(10, 2)' },
  { op: 'rename_column', column: 'note', to: 'remark' },
  { op: 'retype_column', column: 'k', type: 'long' },
  { op: 'retype_column', column: 'part', type: 'long' },
  { op: 'retype_column', column: 'f', type: 'double' },
  { op: 'retype_column', column: 'price', type: 'decimal(12, 2)' },
  { op: 'set_partition_by', partition_by: ['day(d)', 'part', 'bucket(4, k)'] },
];

/** Of a table whose rows Spark deletes by delete files, before and while the changes stand. */
export async function expectDeletesRestored(lakehouse: Lakehouse, name: string): Promise<void> {
  const table = lakehouse.table(name);
  const migrator = createIcebergMigrator(lakehouse);
  const both = async (sql: (of: string) => string) => {
    await lakehouse.judge.sql(sql(`matih.${name}`));
    await table.alterModel(sql(table.model));
  };
  const modes = ['delete', 'update', 'merge'].map((what) => `'write.${what}.mode' = 'merge-on-read'`);
  await table.load({ sql: ROWS(0, 30), partitionBy: ['part'] });
  await lakehouse.judge.sql(`ALTER TABLE matih.${name} SET TBLPROPERTIES (${modes.join(', ')})`);
  await both((of) => `DELETE FROM ${of} WHERE k = 4`);
  const before = await shape(lakehouse, table);
  const widened = async (at: number) => {
    const run = { ...migration(table, [WIDENED[2], WIDENED[4], WIDENED[5]]), name: `migration.${at}/0` };
    const backup = await migrator.backUp(run);
    await migrator.apply(run, backup);
    return () => migrator.restore(run, backup);
  };

  const checked = migration(table, [WIDENED[2]], [{ type: 'row_count', min: 1 }]);
  await expect(migrator.validate(checked)).rejects.toThrow('checks.0: the table has delete files');
  // Nobody wrote; then others did, and deleted what was there before.
  expect((await (await widened(1))()).notes).toEqual([]);
  const restore = await widened(2);
  await both((of) => `INSERT INTO ${of} VALUES (100, 1, 'Spark', 1.5, DATE '2024-03-01', 2.25)`);
  await both((of) => `UPDATE ${of} SET note = 'updated' WHERE k = 7`);
  await both((of) => `DELETE FROM ${of} WHERE k = 8`);
  await restore();
  expect(await shape(lakehouse, table)).toEqual(before);
  await table.expectSound([]);
  for (const reader of READERS) expect(await lakehouse.judge.metadataTables(reader, name)).toMatchObject({ refs: 1 });

  // What is deleted from a file by position cannot be told once that is another one.
  const again = await widened(3);
  await both((of) => `INSERT INTO ${of} VALUES (101, 1, 'a', 1, NULL, 1), (102, 1, 'b', 1, NULL, 1)`);
  await both((of) => `DELETE FROM ${of} WHERE k = 101`);
  await expect(again()).rejects.toThrow('delete files were added since');
  await lakehouse.judge.sql(
    `CALL matih.system.rewrite_data_files(table => '${name}', options => map('delete-file-threshold', '1'))`,
  );
  await lakehouse.judge.sql(
    `CALL matih.system.rewrite_position_delete_files(table => '${name}', options => map('rewrite-all', 'true'))`,
  );
  await again();
  expect(await shape(lakehouse, table)).toEqual(before);
  await table.expectSound([]);
}

/** Types are put back too, and the rows that both engines wrote in the wider ones, as long as they fit. */
export async function expectTypesRestored(lakehouse: Lakehouse, name: string): Promise<void> {
  const table = lakehouse.table(name);
  const migrator = createIcebergMigrator(lakehouse);
  await table.load({ sql: ROWS(0, 30), partitionBy: ['part'] });
  const before = await shape(lakehouse, table);
  const run = migration(table, WIDENED);
  const backup = await migrator.backUp(run);
  await migrator.apply(run, backup);
  await lakehouse.judge.sql(`INSERT INTO matih.${name} (k, part, remark, f, d, price, added) VALUES
    (2147483647, 1, 'Spark', 1.5, DATE '2024-03-01', 9999999.99, 9), (-5, 2, NULL, double('NaN'), NULL, -0.01, NULL)`);
  // Of rows that were there before, what stays is written anew.
  await lakehouse.judge.sql(`DELETE FROM matih.${name} WHERE k = 4`);
  const appended = `SELECT 101::BIGINT AS k, 0::BIGINT AS part, 'pyiceberg' AS remark, 0.5::DOUBLE AS f,
    DATE '2024-03-03' AS d, 1.25::DECIMAL(12, 2) AS price, 1::DECIMAL(10, 2) AS added`;
  await lakehouse.judge.append(name, await lakehouse.parquet(appended));
  await table.alterModel(`INSERT INTO ${table.model} VALUES (2147483647, 1, 'Spark', 1.5, DATE '2024-03-01', 9999999.99),
    (-5, 2, NULL, 'NaN', NULL, -0.01), (101, 0, 'pyiceberg', 0.5, DATE '2024-03-03', 1.25)`);
  await table.alterModel(`DELETE FROM ${table.model} WHERE k = 4`);
  await migrator.restore(run, backup);
  expect(await shape(lakehouse, table)).toEqual(before);
  expect((await lakehouse.judge.schema('pyiceberg', name)).map(([column, type]) => `${column} ${type}`)).toEqual([
    ...['k int', 'part int', 'note string', 'f float', 'd date', 'price decimal(9, 2)'],
  ]);
  const narrowed = (await lakehouse.judge.history(name)).at(-1);
  expect(narrowed?.operation).toBe('replace');
  const ours = (): string[] => [...table.loads.map(({ snapshotId }) => snapshotId), narrowed?.snapshotId ?? ''];
  await table.expectSound(ours());
  await table.expectFiltered({
    sql: `part = 1 AND k = 2147483647`,
    pyiceberg: `And(EqualTo('part', 1), EqualTo('k', 2147483647))`,
  });
  // And everybody goes on.
  await table.load({ sql: ROWS(200, 210), mode: 'merge', mergeKeys: ['k'] });
  await lakehouse.judge.sql(`DELETE FROM matih.${name} WHERE k = -5`);
  await table.alterModel(`DELETE FROM ${table.model} WHERE k = -5`);
  await table.expectSound(ours());

  const again = { ...run, name: 'migration.2/0' };
  const second = await migrator.backUp(again);
  await migrator.apply(again, second);
  await lakehouse.judge.sql(`INSERT INTO matih.${name} (k, part) VALUES (5000000000, 1)`);
  await expect(migrator.restore(again, second)).rejects.toMatchObject({
    type: 'SchemaConflictError',
    message: expect.stringContaining('1 rows written since hold values in k that are no int') as string,
  });
}
