/**
 * Data files that store a column in the wider type that a migration gave it, written anew as the schema before has it:
 * each by one of its own, with the same rows, under the same partition spec. An Iceberg reader of `int` takes no file that
 * stores a `long`, whatever is in it (Iceberg spec, "Schema Evolution": types are only widened).
 */
import { EngineError } from '../../../errors.ts';
import type { DuckDbEngine, DuckDbSession } from '../../duckdb/duckdb-engine.ts';
import type { LoadedTable } from '../../iceberg/catalog.ts';
import { deleteFiles } from '../../iceberg/commit-load.ts';
import type { DataFile } from '../../iceberg/data-file.ts';
import { duckDbTypeOf } from '../../iceberg/duckdb-types.ts';
import type { FileIo } from '../../iceberg/file-io.ts';
import { inParallel } from '../../iceberg/in-parallel.ts';
import type { Schema } from '../../iceberg/schema.ts';
import { fileFolder } from '../../iceberg/table-metadata.ts';
import { checkFieldIds, checkNestedNames, columnName, tableRows } from '../../iceberg/table-rows.ts';
import { publishFiles, ROWS } from '../../iceberg/write-data-files.ts';
import { writeParquet, type ParquetColumn } from '../../iceberg/write-parquet.ts';
import { withScratchFolder } from '../../iceberg/written-load.ts';
import type { TableMigration } from '../table-migrator.ts';
import type { RetypedColumn } from './retyped-column.ts';
import { filesStoredWide, findMisfits, readWide, refuseMisfits } from './wide-files.ts';

/** What is read or written at a time, so that neither memory nor disk depends on how much others wrote. */
const GROUP = { files: 32, bytes: 256n * 1024n * 1024n };

export interface Narrowing {
  table: LoadedTable;
  before: Schema;
  retyped: readonly RetypedColumn[];
}

/**
 * For one restore, however often others commit meanwhile: what was written instead of a file stays good as long as that is
 * there, so each attempt has only to do with what came since the last one.
 */
export class NarrowFiles {
  /** URIs of files, manifests too, that no commit names yet. */
  readonly uncommitted: string[] = [];
  readonly #duckdb: DuckDbEngine;
  readonly #migration: Pick<TableMigration<unknown>, 'signal' | 'log'>;
  /** Paths of the files that were looked at, and whether they need another one. */
  readonly #isWide = new Map<string, boolean>();
  /** By the path of the file that it is instead of. */
  readonly #written = new Map<string, DataFile[]>();
  #io: FileIo | undefined;

  constructor(duckdb: DuckDbEngine, migration: Pick<TableMigration<unknown>, 'signal' | 'log'>) {
    this.#duckdb = duckdb;
    this.#migration = migration;
  }

  /**
   * What each of the files is replaced by; those that need not be are left out. Nothing is written unless all values fit.
   *
   * @throws EngineError `SchemaConflictError` when some do not; `UnsupportedError` for files that cannot be read
   */
  async narrow(narrowing: Narrowing, files: readonly DataFile[]): Promise<ReadonlyMap<string, readonly DataFile[]>> {
    this.#io = narrowing.table.io;
    if (files.length > 0) checkNestedNames(narrowing.table.metadata.schemas, narrowing.before);
    await this.#look(
      narrowing,
      files.filter(({ path }) => !this.#isWide.has(path)),
    );
    const wide = files.filter(({ path }) => this.#isWide.get(path) === true);
    const missing = wide.filter(({ path }) => !this.#written.has(path));
    for (const group of groups(missing)) await this.#write(narrowing, group);
    return new Map(wide.map(({ path }) => [path, this.#written.get(path) ?? []]));
  }

  /** A commit named them that happened, or may have. */
  keep(uris: readonly string[]): void {
    const kept = new Set(uris);
    const rest = this.uncommitted.filter((uri) => !kept.has(uri));
    this.uncommitted.splice(0, Infinity, ...rest);
  }

  /** Deletes what no commit named. */
  async dropRest(): Promise<void> {
    if (this.#io !== undefined) await deleteFiles(this.uncommitted.splice(0), this.#io);
  }

  async #look(narrowing: Narrowing, files: readonly DataFile[]): Promise<void> {
    const { before, retyped } = narrowing;
    const found = [];
    for (const group of groups(files)) {
      found.push(
        await this.#inSession(narrowing, group, async (session, paths) => {
          await checkFieldIds(session, paths);
          const wide = await filesStoredWide(session, paths, retyped);
          for (const [at, { path }] of group.entries()) this.#isWide.set(path, wide.has(at));
          const asked = paths.filter((_, at) => wide.has(at));
          return asked.length === 0 ? new Map() : findMisfits(session, asked, before, retyped);
        }),
      );
    }
    refuseMisfits(found);
  }

  async #write(narrowing: Narrowing, group: readonly DataFile[]): Promise<void> {
    const { table, before, retyped } = narrowing;
    const columns = before.fields.map((field): ParquetColumn => {
      const value = `${ROWS}.${columnName(field.id)}`;
      const isRetyped = retyped.some((column) => column.field.id === field.id);
      return { field, sql: isRetyped ? `CAST(${value} AS ${duckDbTypeOf(field.type)})` : value };
    });
    await this.#inSession(narrowing, group, async (session, paths, folder) => {
      const relation = `${tableRows(paths, readWide(before, retyped))} AS ${ROWS}`;
      const keys = [`${ROWS}.file_index`];
      const written = await writeParquet(session, { relation, columns, keys, clustered: true, folder });
      const old = written.map(({ keys: [index] }) => group[Number(index)]);
      const place = {
        io: table.io,
        specId: group[0]?.specId ?? 0,
        dataFolder: fileFolder(table.metadata, 'data'),
        scratchFolder: folder,
        uncommitted: this.uncommitted,
        signal: this.#migration.signal,
      };
      const partitionOf = (file: (typeof written)[number]) => group[Number(file.keys[0])]?.partition ?? [];
      const published = await publishFiles(session, written, columns, partitionOf, place);
      for (const file of group) {
        const instead = published.filter((_, at) => old[at] === file);
        const rows = instead.reduce((sum, { recordCount }) => sum + recordCount, 0n);
        if (rows !== file.recordCount) {
          const message = `${file.recordCount} rows were to be rewritten and ${rows} were found; the table's metadata is not right`;
          throw new EngineError('UnsupportedError', message);
        }
        this.#written.set(file.path, instead);
      }
    });
    this.#migration.log('info', `${group.length} files that others wrote were written anew, in the types before`);
  }

  #inSession<T>(
    { table }: Narrowing,
    group: readonly DataFile[],
    use: (session: DuckDbSession, paths: string[], folder: string) => Promise<T>,
  ): Promise<T> {
    const { signal } = this.#migration;
    return withScratchFolder(table, async (folder) => {
      const paths = await inParallel(group, ({ path }) => table.io.localCopy(path, folder, signal));
      const request = { signal, readable: [...paths, folder], writable: [folder] };
      return this.#duckdb.withSession(request, (session) => use(session, paths, folder));
    });
  }
}

/** Of one partition spec each; a file that is larger than a group is one by itself. */
function groups(files: readonly DataFile[]): DataFile[][] {
  const found: DataFile[][] = [];
  for (const ofSpec of Map.groupBy(files, ({ specId }) => specId).values()) {
    let group: DataFile[] = [];
    let bytes = 0n;
    for (const file of ofSpec) {
      bytes += file.sizeBytes;
      if (group.length === GROUP.files || bytes > GROUP.bytes) group = [];
      if (group.length === 0) {
        found.push(group);
        bytes = file.sizeBytes;
      }
      group.push(file);
    }
  }
  return found;
}
