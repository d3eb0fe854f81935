/**
 * Migrations of PostgreSQL tables (spec section 2, SchemaMigrationWorkflow). All changes of a table are one transaction,
 * with a row in `pipeline_migrations` beside it that says what was done and how it is undone. See `docs/engines/schema-migrations.md`.
 */
import type pg from 'pg';
import { EngineError } from '../../errors.ts';
import type { PostgresTarget } from '../../schemas/migration.ts';
import { isPostgresUrl } from '../postgres/connection-url.ts';
import { withPostgres } from '../postgres/with-postgres.ts';
import { changeTable } from './postgres/change-table.ts';
import { refuseDependents } from './postgres/dependents.ts';
import { hiddenNames } from './postgres/hidden-name.ts';
import { addRow, ensureLedger, holdRow, type LedgerRow, setState } from './postgres/ledger.ts';
import { countRows } from './postgres/look-at-rows.ts';
import { findTable, findTableByOid, type MigratedTable } from './postgres/migrated-table.ts';
import { inPatientTransaction, type LockPatience, PATIENCE } from './postgres/patient-transaction.ts';
import { releaseTable } from './postgres/release-table.ts';
import { restoreTable } from './postgres/restore-table.ts';
import { describePart, differingParts, shapeOf } from './postgres/table-shape.ts';
import type { UndoStep } from './postgres/undo-step.ts';
import { validateTable } from './postgres/validate-table.ts';
import type { RestoredTable, TableBackup, TableMigration, TableMigrator, ValidatedTable } from './table-migrator.ts';

type Migration = TableMigration<PostgresTarget>;

/** Schema migrations of PostgreSQL tables. Targets come with their secrets resolved. */
export function createPostgresMigrator(patience: Partial<LockPatience> = {}): TableMigrator<PostgresTarget> {
  return new PostgresMigrator({ ...PATIENCE, ...patience });
}

class PostgresMigrator implements TableMigrator<PostgresTarget> {
  readonly #patience: LockPatience;

  constructor(patience: LockPatience) {
    this.#patience = patience;
  }

  validate(migration: Migration): Promise<ValidatedTable> {
    return connected(migration, (client) => validateTable(client, this.#patience, migration));
  }

  backUp(migration: Migration): Promise<TableBackup> {
    return connected(migration, async (client) => {
      const { schema, name, oid } = await findTable(client, migration.target.table);
      await ensureLedger(client, schema);
      await addRow(client, schema, { name: migration.name, table: name, oid });
      return { reference: `${schema}.pipeline_migrations: ${migration.name}`, details: { schema, table: name, oid } };
    });
  }

  apply(migration: Migration, backup: TableBackup): Promise<{ applied: true; notes: string[] }> {
    return this.#withRow(migration, backup, async (client, row, schema) => {
      if (row.state === 'applied') return { applied: true, notes: ['an earlier attempt applied the changes'] };
      if (row.state !== 'ready') throw isOver();
      const table = await mustFind(client, backup);
      await lockTable(client, table, migration.target.changes);
      const before = await shapeOf(client, table);
      await refuseDependents(client, table, migration.target.changes, before);
      const rows = await rowsAtStake(client, table, migration.target);
      const undo: UndoStep[] = [];
      const hidden = hiddenNames(migration.name);
      for (const [at, change] of migration.target.changes.entries()) {
        undo.push(...(await changeTable({ client, table, hidden }, change, at)));
      }
      const left = await rowsAtStake(client, table, migration.target);
      if (left < rows) throw conflict(`the statements removed ${rows - left} rows, which no restore would bring back`);
      const after = await shapeOf(client, table);
      await setState(client, schema, migration.name, {
        state: 'applied',
        wasApplied: true,
        record: { before, after, undo },
      });
      return { applied: true, notes: [] };
    });
  }

  verify(migration: Migration, backup: TableBackup): Promise<{ rows: number }> {
    return this.#withRow(migration, backup, async (client, { state, record }) => {
      if (state !== 'applied' || record === null) throw conflict('the changes are not applied');
      const table = await mustFind(client, backup);
      const now = await shapeOf(client, table);
      const ours = differingParts(record.before, record.after);
      const changed = differingParts(record.after, now).filter((part) => ours.includes(part));
      if (changed.length > 0) {
        const parts = changed.map((part) => describePart(part, record.after, now)).join(', ');
        throw conflict(`the table is not as the changes left it: ${parts}`);
      }
      return { rows: (await countRows(client, table)).rows };
    });
  }

  restore(migration: Migration, backup: TableBackup): Promise<RestoredTable> {
    return this.#withRow(migration, backup, (client, row, schema) =>
      restoreTable(client, row, { schema, oid: oidOf(backup), name: migration.name }),
    );
  }

  async release(migration: Migration, backup: TableBackup): Promise<void> {
    await this.#withRow(migration, backup, (client, row, schema) =>
      releaseTable(client, row, { schema, oid: oidOf(backup), name: migration.name }),
    );
  }

  /** In a transaction that holds the migration's row; one that an earlier attempt left open is waited for. */
  #withRow<T>(
    migration: Migration,
    backup: TableBackup,
    work: (client: pg.Client, row: LedgerRow, schema: string) => Promise<T>,
  ): Promise<T> {
    const schema = String(backup.details['schema']);
    return connected(migration, async (client) => {
      await ensureLedger(client, schema);
      const row = { name: migration.name, table: String(backup.details['table']), oid: oidOf(backup) };
      return inPatientTransaction(client, this.#patience, migration, async () => {
        await addRow(client, schema, row);
        const held = await holdRow(client, schema, migration.name);
        if (held === undefined) throw new EngineError('UnavailableError', 'the row of the migration was removed');
        return work(client, held, schema);
      });
    });
  }
}

function connected<T>({ target, signal }: Migration, use: (client: pg.Client) => Promise<T>): Promise<T> {
  if (!isPostgresUrl(target.connection)) {
    throw new EngineError('ValidationError', 'connection: expected postgres://user:password@host:port/database');
  }
  return withPostgres({ url: target.connection, signal }, use);
}

/** Indexes are built beside readers; everything else keeps everybody out, so that is asked for at once, not on the way. */
async function lockTable(client: pg.Client, table: MigratedTable, changes: PostgresTarget['changes']): Promise<void> {
  const mode = changes.every(({ op }) => op === 'add_index') ? 'SHARE' : 'ACCESS EXCLUSIVE';
  await client.query(`LOCK TABLE ${table.sql} IN ${mode} MODE`);
}

/** Only statements of the user's own can remove any; while the table's lock is held, nobody else does. */
async function rowsAtStake(client: pg.Client, { sql }: MigratedTable, { changes }: PostgresTarget): Promise<number> {
  if (!changes.some(({ op }) => op === 'sql')) return 0;
  const { rows } = await client.query<{ count: string }>(`SELECT count(*) FROM ${sql}`);
  return Number(rows[0]?.count ?? 0);
}

async function mustFind(client: pg.Client, backup: TableBackup): Promise<MigratedTable> {
  const table = await findTableByOid(client, oidOf(backup));
  if (table === undefined) throw new EngineError('ValidationError', 'the table was dropped after it was backed up');
  return table;
}

function oidOf(backup: TableBackup): string {
  return String(backup.details['oid']);
}

function isOver(): EngineError {
  return conflict('the migration was restored or is over; it is not applied any more');
}

function conflict(message: string): EngineError {
  return new EngineError('SchemaConflictError', message);
}
