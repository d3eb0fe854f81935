import type { Dataset } from '../dataset.ts';
import type { DuckDbSession } from '../duckdb/duckdb-session.ts';
import { measureDataset } from '../duckdb/measure-dataset.ts';
import { quoteIdentifier, quoteLiteral } from '../duckdb/quote.ts';
import { type Interval, intervalCondition } from './interval.ts';

/**
 * Writes what a table expression of DuckDB gives (`read_csv(…)`, a table's name) as one Parquet file into a staging
 * folder and measures it.
 *
 * @param folder absolute, ends with `/`, writable for the session
 */
export async function landParquet(
  session: DuckDbSession,
  from: string,
  folder: string,
  interval?: Interval,
): Promise<Dataset> {
  const described = await session.rows(`DESCRIBE SELECT * FROM ${from}`);
  const columns = described.map((row) => ({ name: String(row['column_name']), type: String(row['column_type']) }));
  const condition = intervalCondition(interval, columns);
  const where = condition === undefined ? '' : ` WHERE ${condition.sql}`;
  await session.run(
    `COPY (SELECT ${columns.map(landed).join(', ')} FROM ${from}${where}) TO ${quoteLiteral(`${folder}part-0.parquet`)} (FORMAT parquet)`,
    condition?.parameters,
  );
  return measureDataset(session, folder);
}

/**
 * Parquet has no 128-bit integers (DuckDB would write them as doubles, losing digits), and JSON is text to every other
 * reader.
 */
function landed({ name, type }: { name: string; type: string }): string {
  const column = quoteIdentifier(name);
  // A field that is a text here and a number there comes as JSON: the text itself, not the text in quotes.
  if (type === 'JSON') return `json_extract_string(${column}, '$') AS ${column}`;
  const parts = type.split(/("(?:[^"]|"")*")/);
  const portable = parts.map((part, at) =>
    at % 2 === 1 ? part : part.replaceAll(/\bU?HUGEINT\b/g, 'DECIMAL(38,0)').replaceAll(/\bJSON\b/g, 'VARCHAR'),
  );
  const target = portable.join('');
  return target === type ? column : `CAST(${column} AS ${target}) AS ${column}`;
}
