import type { DuckDBValue } from '@duckdb/node-api';
import { EngineError } from '../../errors.ts';
import type { ParameterType, ParameterValue } from '../../schemas/parameters.ts';
import { sqlPieces, type SqlPiece } from './sql-lexer.ts';

const SQL_TYPE: Readonly<Record<ParameterType, string>> = {
  string: 'VARCHAR',
  int: 'BIGINT',
  float: 'DOUBLE',
  boolean: 'BOOLEAN',
  date: 'DATE',
  timestamp: 'TIMESTAMPTZ',
};

/** SQL as DuckDB takes it, and the parameters that it names. */
export interface PlacedParameters {
  sql: string;
  names: string[];
}

/** The SQL of a bound value, given its place among the names of {@link PlacedParameters}. */
export type Placeholder = (name: string, type: ParameterType, at: number) => string;

function duckDbPlaceholder(name: string, type: ParameterType): string {
  return `CAST($${name} AS ${SQL_TYPE[type]})`;
}

/**
 * Each `${name}` of the SQL made a placeholder for a bound value of the parameter's type (spec section 3, Parameters);
 * `$${` becomes `${`. Lines stay where they are, so that DuckDB's messages name the author's.
 *
 * The fault, in words, for a parameter where no value can be (inside a literal, an identifier, a comment), for one that
 * is not declared, and for placeholders of the author's own.
 *
 * @param placeholder how another database than DuckDB writes one; its scanner must cut SQL as PostgreSQL's does
 */
export function placeParameters(
  sql: string,
  types: Readonly<Record<string, ParameterType>>,
  placeholder: Placeholder = duckDbPlaceholder,
): PlacedParameters | { fault: string } {
  const names = new Set<string>();
  let placed = '';
  for (const piece of sqlPieces(sql)) {
    const fault = faultOf(sql, piece, types, names);
    if (fault !== undefined) return { fault: `line ${lineOf(sql, piece.start)}: ${fault}` };
    if (piece.kind === 'parameter') {
      const name = nameIn(piece);
      names.add(name);
      placed += placeholder(name, types[name] ?? 'string', [...names].indexOf(name));
    } else {
      placed += piece.text.replaceAll('$${', '${');
    }
  }
  return { sql: placed, names: [...names] };
}

/** The values to run {@link placeParameters}' SQL with. Dates and timestamps go as text: the placeholder casts them. */
export function parameterBindings(
  names: readonly string[],
  parameters: Readonly<Record<string, ParameterValue>>,
): Record<string, DuckDBValue> {
  return Object.fromEntries(
    names.map((name) => {
      const parameter = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
      if (parameter === undefined) throw new EngineError('ValidationError', `parameter ${name} has no value`);
      return [name, bindingOf(name, parameter)];
    }),
  );
}

function bindingOf(name: string, { type, value }: ParameterValue): DuckDBValue {
  if (type !== 'int') return value;
  if (!Number.isSafeInteger(value)) {
    throw new EngineError('ValidationError', `parameter ${name}: expected a whole number, got ${value}`);
  }
  return BigInt(value);
}

/** Of `${name}`. */
function nameIn(piece: SqlPiece): string {
  return piece.text.slice(2, -1);
}

function faultOf(
  sql: string,
  piece: SqlPiece,
  types: Readonly<Record<string, ParameterType>>,
  names: ReadonlySet<string>,
): string | undefined {
  const next = sql.charAt(piece.start + piece.text.length);
  switch (piece.kind) {
    case 'escape':
      return undefined;
    case 'parameter':
      return faultOfParameter(piece, next, types, names);
    case 'word':
      return piece.text.endsWith('$') && next === '{'
        ? 'a parameter stands inside an identifier; it is a bound value and can only stand where a value can'
        : undefined;
    case 'code':
      return /[$?]/.test(piece.text)
        ? 'placeholders ($1, $name, ?) are not taken; name a declared parameter as ${name}'
        : undefined;
    default: {
      const inside = /(?<!\$)\$\{[^{}\n]*\}?/.exec(piece.text)?.[0];
      return inside === undefined
        ? undefined
        : `${inside} stands inside a ${piece.kind}; it is a bound value and can only stand where a value can (write $\${ for a literal \${)`;
    }
  }
}

function faultOfParameter(
  piece: SqlPiece,
  next: string,
  types: Readonly<Record<string, ParameterType>>,
  names: ReadonlySet<string>,
): string | undefined {
  if (!piece.text.endsWith('}')) return 'expected ${name} with the name of a parameter';
  const name = nameIn(piece);
  if (name.startsWith('secret:')) return `${piece.text}: secrets cannot be used in SQL`;
  if (!Object.hasOwn(types, name)) return `${piece.text} is not a declared parameter`;
  if (/[A-Za-z0-9_\u0080-\uffff]/.test(next)) {
    return `${piece.text} is followed by "${next}"; a parameter is a value, not a part of a name`;
  }
  // DuckDB's placeholders do not tell case.
  const twin = [...names].find((other) => other !== name && other.toLowerCase() === name.toLowerCase());
  return twin === undefined ? undefined : `${piece.text} and \${${twin}} differ in case only; rename one of them`;
}

function lineOf(sql: string, index: number): number {
  return sql.slice(0, index).split('\n').length;
}
