import type pg from 'pg';
import type { PostgresChange, PostgresTarget } from '../../../schemas/migration.ts';
import type { TableMigration, ValidatedTable } from '../table-migrator.ts';
import { refuseDependents, rename } from './dependents.ts';
import { hiddenNames } from './hidden-name.ts';
import { countRows, lookAtRows } from './look-at-rows.ts';
import { findTable, type MigratedTable } from './migrated-table.ts';
import type { LockPatience } from './patient-transaction.ts';
import { canonicalType, isLossless } from './retype-column.ts';
import { shapeOf, type TableShape, visibleColumns } from './table-shape.ts';
import { tryChanges } from './trial.ts';

/** In a transaction that is rolled back, and takes no lock of the table that anybody would wait for. */
export async function validateTable(
  client: pg.Client,
  { lockTimeoutMs }: LockPatience,
  { target, name }: TableMigration<PostgresTarget>,
): Promise<ValidatedTable> {
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE');
  try {
    await client.query(`SELECT set_config('lock_timeout', $1, true)`, [`${lockTimeoutMs}ms`]);
    const table = await findTable(client, target.table);
    const before = await shapeOf(client, table);
    await refuseDependents(client, table, target.changes, before);
    const trial = await tryChanges(client, table, target.changes, hiddenNames(name));
    // The copy is named like the table, and would be found in its place by expressions of the user's.
    await client.query('ROLLBACK');
    await client.query('BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY');
    const counted = await countRows(client, table);
    const warnings = [
      ...trial.warnings,
      ...(counted.exact ? [] : ['counting the rows takes long; their number is an estimate']),
      ...(await warningsOf(client, table, target.changes, before)),
      ...(await lookAtRows(client, table, target.changes, before)),
    ];
    return {
      rows: counted.rows,
      before: visibleColumns(before),
      after: visibleColumns(trial.after),
      touched: touchedBy(target.changes, before),
      warnings,
    };
  } finally {
    await client.query('ROLLBACK').catch(() => undefined);
  }
}

async function warningsOf(
  client: pg.Client,
  table: MigratedTable,
  changes: readonly PostgresChange[],
  { columns }: TableShape,
): Promise<string[]> {
  const warnings: string[] = [];
  const megabytes = Math.ceil(table.bytes / 1_000_000);
  for (const change of changes) {
    if (change.op === 'drop_column') {
      warnings.push(
        `until the migration ends ${change.column} stays under a hidden name: SELECT *, and INSERT or COPY that name no columns, see it`,
      );
    }
    if (change.op !== 'retype_column') continue;
    const type = columns.find(({ name }) => name === change.column)?.type;
    const to = await canonicalType(client, change.type);
    const isInPlace = change.using === undefined && type?.startsWith('character varying') === true;
    if (type === undefined || (isInPlace && isLossless(type, to))) continue;
    warnings.push(
      `retyping ${change.column} writes the whole table anew (${megabytes} MB) while nobody can read or write it`,
    );
  }
  return warnings;
}

/** By their names before the migration. */
function touchedBy(changes: readonly PostgresChange[], { columns }: TableShape): string[] {
  const numbers = new Map(columns.map(({ name, number }) => [name, number]));
  const touched = new Set<number>();
  for (const change of changes) {
    const number = 'column' in change && change.column !== undefined ? numbers.get(change.column) : undefined;
    const counts = ['drop_column', 'rename_column', 'retype_column', 'set_required'].includes(change.op);
    if (number !== undefined && counts) touched.add(number);
    rename(numbers, change);
  }
  return columns.filter(({ number }) => touched.has(number)).map(({ name }) => name);
}
