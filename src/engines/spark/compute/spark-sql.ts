/** A pipeline's SQL as Spark takes it: parameters become named ones, cast to their types. */
import { EngineError } from '../../../errors.ts';
import type { ParameterType, ParameterValue } from '../../../schemas/parameters.ts';
import { asSubquery } from '../../duckdb/as-subquery.ts';
import { placeParameters } from '../../duckdb/sql-parameters.ts';

const SQL_TYPE: Readonly<Record<ParameterType, string>> = {
  string: 'STRING',
  int: 'BIGINT',
  float: 'DOUBLE',
  boolean: 'BOOLEAN',
  date: 'DATE',
  timestamp: 'TIMESTAMP_LTZ',
};

export interface SparkQuery {
  /** In parentheses, to be read FROM. */
  query: string;
  parameters: Record<string, ParameterValue['value']>;
}

/**
 * @param prefix of the names of its parameters, where several queries share them
 * @throws EngineError `ValidationError` for a parameter that stands where no value can
 */
export function sparkQuery(
  sql: string,
  parameters: Readonly<Record<string, ParameterValue>>,
  prefix = 'p',
): SparkQuery {
  const types = Object.fromEntries(Object.entries(parameters).map(([name, { type }]) => [name, type]));
  const nameAt = (at: number) => `${prefix}_${at}`;
  const placed = placeParameters(sql, types, (_name, type, at) => `CAST(:${nameAt(at)} AS ${SQL_TYPE[type]})`);
  if ('fault' in placed) throw new EngineError('ValidationError', placed.fault);
  const values = placed.names.map((name, at) => {
    const value = parameters[name]?.value;
    if (value === undefined) throw new EngineError('ValidationError', `parameter ${name} has no value`);
    return [nameAt(at), value] as const;
  });
  return { query: asSubquery(placed.sql), parameters: Object.fromEntries(values) };
}
