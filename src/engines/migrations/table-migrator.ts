/**
 * What a migration asks of one table, whichever system it is in (spec section 2, SchemaMigrationWorkflow). Every call may be
 * made again after a crash, and finds what an earlier one did by the name of the migration, which each engine writes in the
 * same transaction (the same commit) as the change itself. References and counts only: they stand in a workflow's history.
 */

/** What is to be done, and to which table. */
export interface TableMigration<Target> {
  /** `<migrationId>.<round>/<position of the target>`: what it leaves in the table's system is found by this. */
  name: string;
  target: Target;
  signal: AbortSignal;
  log: (level: 'info' | 'warn' | 'error', message: string) => void;
}

export interface TableColumn {
  name: string;
  type: string;
  required: boolean;
  default?: string;
  comment?: string;
}

/** The table as it is, and as it would be. */
export interface ValidatedTable {
  rows: number;
  before: TableColumn[];
  after: TableColumn[];
  /** Columns that a change drops, renames, retypes or makes required, by their names before it: what impact goes by. */
  touched: string[];
  /** What people should know before they say yes: rows that a narrowing would cut, a rewrite of the whole table, … */
  warnings: string[];
}

/** All that a restore needs beside the table itself; JSON of a few hundred bytes. */
export interface TableBackup {
  /** What to look for in the system: a tag of the Iceberg table, the ledger row of the PostgreSQL table. */
  reference: string;
  details: Record<string, string | number | boolean | null>;
}

export interface RestoredTable {
  /** False: nothing had been applied. */
  changed: boolean;
  /** What people should know: rows of others that were kept, say. */
  notes: string[];
}

export interface TableMigrator<Target> {
  /**
   * Looks whether every change applies, one after the other, to the table as it is; changes nothing.
   *
   * @throws EngineError `SchemaConflictError` that names the change (`changes.2: …`) and why it cannot work;
   *   `ValidationError` when there is no such table
   */
  validate(migration: TableMigration<Target>): Promise<ValidatedTable>;
  /** Makes sure that the table can be put back; again, the same answer. */
  backUp(migration: TableMigration<Target>): Promise<TableBackup>;
  /** All changes of the table, or none. Applied already: nothing is done. */
  apply(migration: TableMigration<Target>, backup: TableBackup): Promise<{ applied: true; notes: string[] }>;
  /** @throws EngineError `SchemaConflictError` when the table is not as the changes should have left it, or lost rows */
  verify(migration: TableMigration<Target>, backup: TableBackup): Promise<{ rows: number }>;
  /**
   * Puts schema, and all that the changes touched, back as it was before `apply`; what others wrote since stays. Nothing
   * applied, or restored already: nothing is done. An `apply` that still hangs somewhere can take no effect afterwards.
   *
   * @throws EngineError `SchemaConflictError` when that would discard or break what others did since: nothing is done then,
   *   and the message says what is left to do by hand
   */
  restore(migration: TableMigration<Target>, backup: TableBackup): Promise<RestoredTable>;
  /** After the end: what was kept for a restore goes. */
  release(migration: TableMigration<Target>, backup: TableBackup): Promise<void>;
}
