import { EngineError } from '../../errors.ts';
import type { DuckDbSession } from '../duckdb/duckdb-engine.ts';
import type { PartitionKey } from './partition-key.ts';

/** More partitions than this are refused anyway. */
const MAX_VALUES = 10_000;

/**
 * A key whose values cannot name folders (any text, any length), replaced by a number for each: one scan of the rows
 * numbers the values, and the join gives each row the number of its own.
 */
export async function numberedKey(
  session: DuckDbSession,
  key: PartitionKey,
  relation: string,
  table: string,
): Promise<{ key: PartitionKey; join: string }> {
  await session.run(
    `CREATE OR REPLACE TEMP TABLE ${table} AS SELECT row_number() OVER () AS number, value
      FROM (SELECT DISTINCT ${key.sql} AS value FROM ${relation}) WHERE value IS NOT NULL LIMIT ${MAX_VALUES + 1}`,
  );
  const rows = await session.rows(`SELECT number::VARCHAR AS number, value FROM ${table}`);
  if (rows.length > MAX_VALUES) {
    throw new EngineError('ValidationError', `the rows fall into more than ${MAX_VALUES} partitions`);
  }
  const texts = new Map(rows.map((row) => [row['number'] as string, row['value'] as string]));
  const parse = (number: string) => key.parse(texts.get(number) ?? '');
  return {
    key: { sql: `${table}.number`, needsNumber: false, parse },
    join: `LEFT JOIN ${table} ON ${table}.value = ${key.sql}`,
  };
}
