import { EngineError } from '../../errors.ts';
import type { JdbcSource } from '../../schemas/definition.ts';
import type { ParameterValue } from '../../schemas/parameters.ts';
import { asSubquery } from '../duckdb/as-subquery.ts';
import { type Placeholder, placeParameters } from '../duckdb/sql-parameters.ts';

/** What a jdbc source reads, as something that stands in FROM, and the parameters that it binds. */
export interface Relation {
  sql: string;
  parameters: { name: string; value: ParameterValue['value'] }[];
}

/**
 * The table or query of a source.
 *
 * @param quoteTable the table's name in the database's SQL
 * @throws EngineError `ValidationError` when there is none or both, or when the query's parameters are wrong
 */
export function relationOf(
  source: JdbcSource,
  parameters: Readonly<Record<string, ParameterValue>>,
  quoteTable: (name: string) => string,
  placeholder: Placeholder,
): Relation {
  const { table, query } = source;
  if (query === undefined && table !== undefined) return { sql: quoteTable(table), parameters: [] };
  if (query === undefined || table !== undefined) {
    throw new EngineError('ValidationError', 'expected either table or query');
  }
  const types = Object.fromEntries(Object.entries(parameters).map(([name, { type }]) => [name, type]));
  const placed = placeParameters(query, types, placeholder);
  if ('fault' in placed) throw new EngineError('ValidationError', `query: ${placed.fault}`);
  const bound = placed.names.map((name) => ({ name, value: parameters[name]?.value ?? '' }));
  return { sql: asSubquery(placed.sql), parameters: bound };
}
