/**
 * Replaces the rows of an interval, whatever the table's partitioning (spec section 2, DataBackfillWorkflow): files with
 * no other rows are dropped unread, files that also have others are rewritten with those (`copy-on-write.ts`), all in
 * the one commit that brings the new rows. What stays is decided on the table as each attempt of the commit finds it.
 */
import { EngineError } from '../../errors.ts';
import type { Dataset } from '../dataset.ts';
import type { DuckDbEngine } from '../duckdb/duckdb-engine.ts';
import { type Interval, withinInterval } from '../sources/interval.ts';
import type { ColumnRange } from './column-ranges.ts';
import { withoutRows } from './copy-on-write.ts';
import type { DataFile } from './data-file.ts';
import { duckDbTypeOf } from './duckdb-types.ts';
import { columnOf, filesOfInterval } from './interval-files.ts';
import type { LoadPlan } from './load-plan.ts';
import type { Replaced, Replacement, ReplaceRequest } from './replace-files.ts';
import { columnName } from './table-rows.ts';
import { ROWS } from './write-data-files.ts';

/** Of one load into a table that may change meanwhile: each file of it is looked into once. */
export class IntervalReplacement implements Replacement {
  readonly #interval: Interval;
  readonly #input: Dataset;
  readonly #duckdb: DuckDbEngine;
  readonly #replacements = new Map<string, readonly DataFile[] | null>();

  constructor(interval: Interval, input: Dataset, duckdb: DuckDbEngine) {
    this.#interval = interval;
    this.#input = input;
    this.#duckdb = duckdb;
  }

  ranges({ schema }: LoadPlan): readonly ColumnRange[] {
    return filesOfInterval(this.#interval, schema).ranges;
  }

  /** @throws EngineError `ValidationError` when the table's column has no place in an interval */
  async replace({ plan, live, uncommitted, signal }: ReplaceRequest): Promise<Replaced> {
    const { mayHaveRows, hasNoOthers } = filesOfInterval(this.#interval, plan.schema);
    const candidates = live.filter(mayHaveRows);
    const files = candidates.filter((file) => !hasNoOthers(file) && !this.#replacements.has(file.path));
    if (files.length > 0) {
      const within = this.#within(plan);
      const choice = { gone: `WHERE ${within}`, kept: `WHERE ${within} IS NOT TRUE` };
      const looked = { plan, files, input: this.#input, choice, uncommitted, signal };
      for (const [path, by] of await withoutRows(looked, this.#duckdb)) this.#replacements.set(path, by);
    }
    const by = (file: DataFile) => (hasNoOthers(file) ? [] : (this.#replacements.get(file.path) ?? null));
    return {
      removed: candidates.filter((file) => by(file) !== null),
      added: candidates.flatMap((file) => by(file) ?? []),
    };
  }

  #within({ schema }: LoadPlan): string {
    const field = columnOf(this.#interval, schema);
    if (field === undefined) {
      throw new EngineError('ValidationError', `the table has no column ${this.#interval.column}`);
    }
    const sql = `${ROWS}.${columnName(field.id)}`;
    return withinInterval(this.#interval, { sql, name: field.name, type: duckDbTypeOf(field.type) });
  }
}
