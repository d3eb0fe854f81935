/**
 * Merge by copy-on-write (`copy-on-write.ts`): files that hold a row with one of the keys are replaced by files without
 * those rows; the new rows are files of their own.
 */
import type { Dataset } from '../dataset.ts';
import type { DuckDbEngine, DuckDbSession } from '../duckdb/duckdb-engine.ts';
import { withoutRows } from './copy-on-write.ts';
import type { DataFile } from './data-file.ts';
import type { LoadPlan } from './load-plan.ts';
import { mayHaveRows, type ColumnRange } from './column-ranges.ts';
import { checkMergeKeys, keyRanges, mergeKeyColumns } from './merge-keys.ts';
import type { Replaced, Replacement, ReplaceRequest } from './replace-files.ts';
import type { NestedField } from './schema.ts';
import { columnName } from './table-rows.ts';
import { ROWS } from './write-data-files.ts';
import { castColumn, INPUT } from './written-load.ts';

/** A merge of one load's rows into a table that may change meanwhile: each file of it is looked into once. */
export class Merge implements Replacement {
  readonly #input: Dataset;
  readonly #duckdb: DuckDbEngine;
  readonly #keys: readonly NestedField[];
  readonly #replacements = new Map<string, readonly DataFile[] | null>();
  #ranges: readonly ColumnRange[] = [];
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

  ranges(): readonly ColumnRange[] {
    return this.#ranges;
  }

  async replace({ plan, live, uncommitted, signal }: ReplaceRequest): Promise<Replaced> {
    if (!this.#hasRows) return { removed: [], added: [] };
    const candidates = live.filter((file) => mayHaveRows(file, this.#ranges));
    const files = candidates.filter((file) => !this.#replacements.has(file.path));
    if (files.length > 0) {
      const keys = this.#keysOfInput();
      const choice = { gone: `SEMI JOIN ${keys}`, kept: `ANTI JOIN ${keys}` };
      const looked = { plan, files, input: this.#input, choice, uncommitted, signal };
      for (const [path, by] of await withoutRows(looked, this.#duckdb)) this.#replacements.set(path, by);
    }
    const removed = candidates.filter((file) => (this.#replacements.get(file.path) ?? null) !== null);
    return { removed, added: removed.flatMap((file) => this.#replacements.get(file.path) ?? []) };
  }

  /** What stands after a JOIN of {@link ROWS}: the keys of the new rows, and that they are the same. */
  #keysOfInput(): string {
    const keys = this.#keys.map((key, at) => `${castColumn(key)} AS k${at}`);
    const same = this.#keys.map((key, at) => `${ROWS}.${columnName(key.id)} = keys.k${at}`);
    return `(SELECT ${keys.join(', ')} FROM ${INPUT} AS ${ROWS}) AS keys ON ${same.join(' AND ')}`;
  }
}
