/**
 * Merge by copy-on-write: files that hold a row with one of the keys are replaced by files without those rows; the new
 * rows are files of their own. Readers need no delete files for it (Iceberg spec, "Row-level Deletes", the alternative
 * to them).
 */
import type { Dataset } from '../dataset.ts';
import type { DuckDbEngine, DuckDbSession } from '../duckdb/duckdb-engine.ts';
import { EngineError } from '../../errors.ts';
import type { DataFile } from './data-file.ts';
import type { LoadPlan } from './load-plan.ts';
import { checkMergeKeys, keyRanges, mayHaveKeys, mergeKeyColumns, type KeyRange } from './merge-keys.ts';
import type { NestedField } from './schema.ts';
import { fileFolder } from './table-metadata.ts';
import { checkFieldIds, checkNestedNames, columnName, tableRows } from './table-rows.ts';
import { publishFiles, ROWS, type FilePlace } from './write-data-files.ts';
import { writeParquet } from './write-parquet.ts';
import { castColumn, INPUT, withScratchFolder } from './written-load.ts';

/** What a merge does to one file of the table; null when it has none of the keys. */
type Replacement = readonly DataFile[] | null;

/** A merge of one load's rows into a table that may change meanwhile: each file of it is looked into once. */
export class Merge {
  readonly #input: Dataset;
  readonly #duckdb: DuckDbEngine;
  readonly #keys: readonly NestedField[];
  readonly #replacements = new Map<string, Replacement>();
  #ranges: readonly KeyRange[] = [];
  #hasRows = true;

  constructor(plan: LoadPlan, mergeKeys: readonly string[], input: Dataset, duckdb: DuckDbEngine) {
    this.#keys = mergeKeyColumns(plan, mergeKeys);
    this.#input = input;
    this.#duckdb = duckdb;
  }

  /** @throws EngineError `ValidationError` when the keys are not keys */
  async inspect(session: DuckDbSession): Promise<void> {
    this.#hasRows = (await checkMergeKeys(session, this.#keys)) > 0n;
    this.#ranges = await keyRanges(session, this.#keys);
  }

  /**
   * Which of the files are replaced, and by what.
   *
   * @param uncommitted gets the URI of each new file
   */
  async replace(
    plan: LoadPlan,
    live: readonly DataFile[],
    uncommitted: string[],
    signal: AbortSignal,
  ): Promise<{ removed: DataFile[]; added: DataFile[] }> {
    if (!this.#hasRows) return { removed: [], added: [] };
    const candidates = live.filter((file) => mayHaveKeys(file, this.#ranges));
    const unknown = candidates.filter((file) => !this.#replacements.has(file.path));
    if (unknown.length > 0) await this.#lookInto(plan, unknown, uncommitted, signal);
    const removed = candidates.filter((file) => (this.#replacements.get(file.path) ?? null) !== null);
    return { removed, added: removed.flatMap((file) => this.#replacements.get(file.path) ?? []) };
  }

  async #lookInto(
    plan: LoadPlan,
    files: readonly DataFile[],
    uncommitted: string[],
    signal: AbortSignal,
  ): Promise<void> {
    const other = files.find((file) => file.format !== 'PARQUET');
    if (other !== undefined) throw new EngineError('UnsupportedError', `merge cannot read ${other.format} data files`);
    checkNestedNames(plan.table.metadata.schemas, plan.schema);
    await withScratchFolder(plan, async (scratchFolder) => {
      const paths = await Promise.all(files.map((file) => plan.table.io.localCopy(file.path, scratchFolder)));
      const request = {
        signal,
        inputs: { [INPUT]: this.#input },
        readable: [...paths, scratchFolder],
        writable: [scratchFolder],
      };
      await this.#duckdb.withSession(request, async (session) => {
        await checkFieldIds(session, paths);
        const matched = await this.#matched(session, plan, paths);
        for (const [at, file] of files.entries()) this.#replacements.set(file.path, matched.has(at) ? [] : null);
        if (matched.size === 0) return;
        const old = files.map((file, at) => ({ file, path: paths[at] ?? '' })).filter((_, at) => matched.has(at));
        const place = {
          io: plan.table.io,
          dataFolder: fileFolder(plan.table.metadata, 'data'),
          scratchFolder,
          uncommitted,
        };
        const survivors = await this.#writeSurvivors(session, plan, old, place);
        for (const [path, rewritten] of survivors) this.#replacements.set(path, rewritten);
      });
    });
  }

  /** Positions of the files that have rows with one of the keys. */
  async #matched(session: DuckDbSession, plan: LoadPlan, paths: readonly string[]): Promise<Set<number>> {
    const rows = await session.rows(
      `SELECT DISTINCT ${ROWS}.file_index::INTEGER AS position
        FROM ${tableRows(paths, plan.schema)} AS ${ROWS} SEMI JOIN ${this.#keysOfInput()}`,
    );
    return new Set(rows.map((row) => row['position'] as number));
  }

  /** What stands after a JOIN of {@link ROWS}: the keys of the new rows, and that they are the same. */
  #keysOfInput(): string {
    const keys = this.#keys.map((key, at) => `${castColumn(key)} AS k${at}`);
    const same = this.#keys.map((key, at) => `${ROWS}.${columnName(key.id)} = keys.k${at}`);
    return `(SELECT ${keys.join(', ')} FROM ${INPUT} AS ${ROWS}) AS keys ON ${same.join(' AND ')}`;
  }

  /** New files with the rows that stay, by the path of the file they were in. */
  async #writeSurvivors(
    session: DuckDbSession,
    plan: LoadPlan,
    old: readonly { file: DataFile; path: string }[],
    place: FilePlace,
  ): Promise<Map<string, DataFile[]>> {
    const paths = old.map(({ path }) => path);
    const columns = plan.schema.fields.map((field) => ({ field, sql: `${ROWS}.${columnName(field.id)}` }));
    const written = await writeParquet(session, {
      relation: `${tableRows(paths, plan.schema)} AS ${ROWS} ANTI JOIN ${this.#keysOfInput()}`,
      columns,
      keys: [`${ROWS}.file_index`],
      clustered: true,
      folder: place.scratchFolder,
    });
    const indexOf = (file: { keys: (string | null)[] }) => Number(file.keys[0]);
    const published = await publishFiles(
      session,
      written,
      columns,
      (file) => old[indexOf(file)]?.file.partition ?? [],
      place,
    );
    const byPath = new Map<string, DataFile[]>();
    for (const [at, file] of published.entries()) {
      const from = written[at] === undefined ? undefined : old[indexOf(written[at])];
      if (from !== undefined) byPath.set(from.file.path, [...(byPath.get(from.file.path) ?? []), file]);
    }
    return byPath;
  }
}
