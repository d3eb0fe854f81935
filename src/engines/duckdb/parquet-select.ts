import { EngineError } from '../../errors.ts';
import type { SelectShape } from './duckdb-session.ts';
import { quoteIdentifier } from './quote.ts';
import { asSubquery } from './as-subquery.ts';
import type { PlacedParameters } from './sql-parameters.ts';

/** Parquet has no such integers and DuckDB would write them as doubles, which silently rounds. */
const TOO_WIDE = /\bU?HUGEINT\b/;
/** DuckDB would write what reads back as something else. */
const NOT_IN_PARQUET = /\bUNION\(/;

/**
 * The SELECT with the columns that Parquet cannot hold made ones that it can: sums of whole numbers are HUGEINT in
 * DuckDB, and become BIGINT here, or an error when they do not fit.
 *
 * @throws EngineError `ValidationError` for columns that share a name, or whose type cannot be written
 */
export function parquetSelect(placed: PlacedParameters, shape: SelectShape): string {
  if (shape.parameters.length !== placed.names.length) {
    throw new EngineError('ValidationError', 'placeholders are not taken; name declared parameters as ${name}');
  }
  const seen = new Set<string>();
  const replaced: string[] = [];
  for (const { name, type } of shape.columns) {
    if (seen.has(name.toLowerCase())) {
      throw new EngineError('ValidationError', `two columns are named ${name}; name them apart with AS`);
    }
    seen.add(name.toLowerCase());
    if (NOT_IN_PARQUET.test(type) || (TOO_WIDE.test(type) && !isWholeNumber(type))) {
      throw new EngineError('ValidationError', `column ${name} has type ${type}, which Parquet cannot hold; cast it`);
    }
    if (isWholeNumber(type)) replaced.push(`CAST(${quoteIdentifier(name)} AS BIGINT) AS ${quoteIdentifier(name)}`);
  }
  const subquery = asSubquery(placed.sql);
  return replaced.length === 0 ? subquery : `SELECT * REPLACE (${replaced.join(', ')}) FROM ${subquery}`;
}

function isWholeNumber(type: string): boolean {
  return type === 'HUGEINT' || type === 'UHUGEINT';
}
