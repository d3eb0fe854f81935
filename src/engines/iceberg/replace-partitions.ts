/**
 * Mode `overwrite_partition`: the rows of the partitions, as the table is partitioned now, into which the load's rows
 * fall are replaced. Files of the current spec are of one partition each and go whole; a file of an older spec loses
 * just its rows of those partitions (`copy-on-write.ts`).
 */
import type { Dataset } from '../dataset.ts';
import type { DuckDbEngine } from '../duckdb/duckdb-engine.ts';
import { mayHaveRows, type ColumnRange } from './column-ranges.ts';
import { withoutRows } from './copy-on-write.ts';
import type { DataFile } from './data-file.ts';
import { duckDbTypeOf } from './duckdb-types.ts';
import type { LoadPlan } from './load-plan.ts';
import { isOrdered, orderedPartitionValue, valuesOfPartitions } from './ordered-transform.ts';
import { partitionKey } from './partition-key.ts';
import type { BoundPartitionField } from './partition-spec.ts';
import type { Replaced, Replacement, ReplaceRequest } from './replace-files.ts';
import { deserializeValue } from './single-value.ts';
import { partitionText } from './snapshot-summary.ts';
import { columnName } from './table-rows.ts';
import { compareValues, type IcebergValue } from './value.ts';
import { ROWS } from './write-data-files.ts';
import { castColumn, INPUT } from './written-load.ts';

export class PartitionReplacement implements Replacement {
  readonly #input: Dataset;
  readonly #duckdb: DuckDbEngine;
  readonly #replacements = new Map<string, readonly DataFile[] | null>();

  constructor(input: Dataset, duckdb: DuckDbEngine) {
    this.#input = input;
    this.#duckdb = duckdb;
  }

  ranges({ fields }: LoadPlan, files: readonly DataFile[]): readonly ColumnRange[] {
    return fields.flatMap((field, at): ColumnRange[] => {
      const values = files.map((file) => file.partition[at] ?? null);
      const present = values.filter((value) => value !== null);
      if (present.length < values.length || !isOrdered(field.resultType)) return [];
      const sorted = present.toSorted(compareValues);
      const [least, most] = [sorted[0], sorted.at(-1)];
      if (least === undefined || most === undefined) return [];
      const { type } = field.source;
      const ends = valuesOfPartitions(field.transform, type, [least, most]);
      return ends === undefined ? [] : [{ id: field.sourceId, type, ...ends }];
    });
  }

  async replace({ plan, files, live, uncommitted, signal }: ReplaceRequest): Promise<Replaced> {
    if (files.length === 0) return { removed: [], added: [] };
    const fields = plan.fields.filter(({ transform }) => transform.kind !== 'void');
    // One partition, the whole table, whatever it was partitioned by before.
    if (fields.length === 0) return { removed: live, added: [] };
    const written = new Set(files.map(partitionText));
    const specId = plan.spec['spec-id'];
    const ranges = this.ranges(plan, files);
    const goesWhole = (file: DataFile): boolean => {
      const partition = file.specId === specId ? file.partition : partitionOf(file, plan.fields);
      return partition !== undefined && written.has(partitionText({ specId, partition }));
    };
    const whole = live.filter(goesWhole);
    const older = live.filter((file) => file.specId !== specId && mayHaveRows(file, ranges) && !goesWhole(file));
    const unknown = older.filter((file) => !this.#replacements.has(file.path));
    if (unknown.length > 0) {
      const keys = keysOfInput(plan, fields);
      const choice = { gone: `SEMI JOIN ${keys}`, kept: `ANTI JOIN ${keys}` };
      const looked = { plan, files: unknown, input: this.#input, choice, uncommitted, signal };
      for (const [path, by] of await withoutRows(looked, this.#duckdb)) this.#replacements.set(path, by);
    }
    const losing = older.filter((file) => (this.#replacements.get(file.path) ?? null) !== null);
    return {
      removed: [...whole, ...losing],
      added: losing.flatMap((file) => this.#replacements.get(file.path) ?? []),
    };
  }
}

/** The one partition that all rows of a file fall into, where its statistics prove that. */
function partitionOf(file: DataFile, fields: readonly BoundPartitionField[]): IcebergValue[] | undefined {
  const partition: IcebergValue[] = [];
  for (const { sourceId, source, transform } of fields) {
    const [lower, upper] = [file.lowerBounds?.get(sourceId), file.upperBounds?.get(sourceId)];
    if (lower === undefined || upper === undefined || file.nullCounts?.get(sourceId) !== 0n) return undefined;
    const [least, most] = [lower, upper].map((bound) =>
      orderedPartitionValue(transform, source.type, deserializeValue(source.type, bound)),
    );
    if (least === undefined || most === undefined || compareValues(least, most) !== 0) return undefined;
    partition.push(least);
  }
  return partition;
}

/** What stands after a JOIN of {@link ROWS}: the partitions of the new rows, and that the row's is one of them. */
function keysOfInput(plan: LoadPlan, fields: readonly BoundPartitionField[]): string {
  const present = new Map(plan.columns.map((column) => [column.id, column]));
  const keys = fields.map((field, at) => {
    const column = present.get(field.sourceId);
    const value = column === undefined ? `CAST(NULL AS ${duckDbTypeOf(field.source.type)})` : castColumn(column);
    return `${partitionKey(field, value).sql} AS k${at}`;
  });
  const same = fields.map((field, at) => {
    const own = partitionKey(field, `${ROWS}.${columnName(field.sourceId)}`).sql;
    return `${own} IS NOT DISTINCT FROM keys.k${at}`;
  });
  return `(SELECT DISTINCT ${keys.join(', ')} FROM ${INPUT} AS ${ROWS}) AS keys ON ${same.join(' AND ')}`;
}
