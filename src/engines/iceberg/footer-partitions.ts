/**
 * Which partition a file belongs to, from the smallest and the largest value of each partition column in it: all
 * transforms but `bucket` keep the order of values, so where both ends fall into one partition, all between do.
 */
import { EngineError } from '../../errors.ts';
import type { DuckDbSession } from '../duckdb/duckdb-engine.ts';
import { quoteLiteral } from '../duckdb/quote.ts';
import { duckDbTypeOf } from './duckdb-types.ts';
import type { LoadPlan } from './load-plan.ts';
import { partitionKey } from './partition-key.ts';
import type { BoundPartitionField } from './partition-spec.ts';
import type { IcebergValue } from './value.ts';
import { columnKey, type WrittenFile } from './write-parquet.ts';

/** @throws EngineError `UnsupportedError` for a file of several partitions, or one that does not tell */
export async function partitionsOf(
  session: DuckDbSession,
  files: readonly WrittenFile[],
  { fields }: Pick<LoadPlan, 'fields'>,
): Promise<Map<WrittenFile, (IcebergValue | null)[]>> {
  const partitions = new Map(files.map((file): [WrittenFile, (IcebergValue | null)[]] => [file, []]));
  for (const field of fields) {
    const values = await valuesOf(session, files, field);
    for (const [at, file] of files.entries()) partitions.get(file)?.push(values[at] ?? null);
  }
  return partitions;
}

async function valuesOf(
  session: DuckDbSession,
  files: readonly WrittenFile[],
  field: BoundPartitionField,
): Promise<(IcebergValue | null)[]> {
  const { source, transform } = field;
  if (transform.kind === 'void') return files.map(() => null);
  if (transform.kind === 'bucket') {
    throw new EngineError('UnsupportedError', `the table is partitioned by bucket(${transform.width}, ${source.name})`);
  }
  const ends = files.map(({ columns, rows }) => {
    const told = columns.get(columnKey([source.name]));
    // A column that the rows do not have is NULL in all of them.
    if (told === undefined || told.nulls === rows) return undefined;
    if (told.nulls === 0n && told.smallest !== undefined && told.largest !== undefined) {
      return { smallest: told.smallest, largest: told.largest };
    }
    throw new EngineError(
      'UnsupportedError',
      `a file does not tell its partition by ${source.name}: it has NULL among other values, NaN, or very long ones`,
    );
  });
  const literals = ends.flatMap((end, at) =>
    end === undefined ? [] : [`(${at}, ${quoteLiteral(end.smallest)}, ${quoteLiteral(end.largest)})`],
  );
  if (literals.length === 0) return files.map(() => null);
  const key = (column: string) => partitionKey(field, `CAST(${column} AS ${duckDbTypeOf(source.type)})`).sql;
  const rows = await session.rows(
    `SELECT position, CAST(${key('smallest')} AS VARCHAR) AS one, CAST(${key('largest')} AS VARCHAR) AS other
      FROM (VALUES ${literals.join(', ')}) AS ends(position, smallest, largest)`,
  );
  const values = files.map((): IcebergValue | null => null);
  for (const { position, one, other } of rows) {
    if (one !== other) {
      throw new EngineError('UnsupportedError', `a file has rows of several partitions by ${source.name}`);
    }
    values[Number(position)] = partitionKey(field, '').parse(String(one));
  }
  return values;
}
