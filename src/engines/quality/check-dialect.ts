/** How the engine that evaluates the checks writes what engines write differently; the checks themselves are the same. */
import type { DuckDBValue } from '@duckdb/node-api';
import { EngineError } from '../../errors.ts';
import type { ParameterValue } from '../../schemas/parameters.ts';
import { asSubquery } from '../duckdb/as-subquery.ts';
import { parseSelect } from '../duckdb/parse-select.ts';
import { parameterBindings, placeParameters } from '../duckdb/sql-parameters.ts';

/** SQL of the user, to be read FROM. */
export interface CustomQuery {
  subquery: string;
  parameters: Readonly<Record<string, DuckDBValue>>;
  /** That it reads; empty where only the engine itself can tell. */
  tables: readonly string[];
}

export interface CheckDialect {
  /** A bound value. */
  placeholder(name: string): string;
  /** @param type as DuckDB names it */
  type(type: string): string;
  /**
   * What is bound for a pattern in RE2's syntax.
   *
   * @throws EngineError `ValidationError` for one that the engine cannot say
   */
  pattern(re2: string): string;
  /** Whether a pattern is found in a text. */
  matches(text: string, placeholder: string, pattern: string): string;
  /** Milliseconds since 1970 of the largest value; NULL for none, and for an infinite one. */
  newestMs(largest: string, type: string): string;
  /**
   * @param names what the names of its parameters start with
   * @throws EngineError `ValidationError` for what is no SELECT over the inputs, where that is known before it runs
   */
  customQuery(sql: string, parameters: Readonly<Record<string, ParameterValue>>, names: string): Promise<CustomQuery>;
}

export const DUCKDB_DIALECT: CheckDialect = {
  placeholder: (name) => `$${name}`,
  type: (type) => type,

  pattern: (re2) => re2,

  matches: (text, placeholder, pattern) =>
    isAnchored(pattern)
      ? `regexp_full_match(${text}, '(?s:.*)(?:' || ${placeholder} || ')(?s:.*)')`
      : `regexp_matches(${text}, ${placeholder})`,

  newestMs(largest, type) {
    const newest = type.includes('WITH TIME ZONE') ? largest : `CAST(${largest} AS TIMESTAMP)`;
    // Infinite timestamps have no milliseconds: they come as NULL and count as no value.
    return `CASE WHEN isfinite(${newest}) THEN epoch_ms(${newest}) END`;
  },

  async customQuery(sql, parameters) {
    const types = Object.fromEntries(Object.entries(parameters).map(([name, { type }]) => [name, type]));
    const placed = placeParameters(sql, types);
    if ('fault' in placed) throw new EngineError('ValidationError', placed.fault);
    const parsed = await parseSelect(placed.sql);
    if ('fault' in parsed) throw new EngineError('ValidationError', parsed.fault);
    const { tables } = parsed;
    return { subquery: asSubquery(placed.sql), parameters: parameterBindings(placed.names, parameters), tables };
  },
};

/**
 * Whether the pattern says how the text begins and ends. Those are asked as full matches, which DuckDB tries once for
 * each value of a column's dictionary; the others are faster in its own search. A `\Q` could quote what is put around.
 */
function isAnchored(pattern: string): boolean {
  return pattern.startsWith('^') && pattern.endsWith('$') && !pattern.includes('\\Q');
}
