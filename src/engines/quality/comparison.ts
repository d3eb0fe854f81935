import type { CheckScope, Column } from './check-plan.ts';

type Scalar = string | number | boolean;

const WHOLE_NUMBER = /^[+-]?\d{1,38}$/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/**
 * The SQL of a value that the column is compared with: bound, and cast to a type that compares exactly with it.
 *
 * @throws EngineError `ValidationError` when the two cannot be compared
 */
export function comparand(scope: CheckScope, column: Column, value: Scalar, field: string): string {
  const type = comparandType(column, value);
  if (type === undefined) {
    const wanted = WANTED[column.kind];
    throw scope.fault(
      field,
      `${column.name} is ${column.type}, which cannot be compared with ${JSON.stringify(value)}; expected ${wanted}`,
    );
  }
  const bound = scope.bind(String(value));
  // Only DuckDB knows what it takes for a date, and how large a number may be.
  const message = `${JSON.stringify(value)} is no ${type}, which ${column.name} is; expected ${WANTED[column.kind]}`;
  scope.probes.push({ sql: `TRY_CAST($${bound} AS ${type}) IS NULL`, parameter: bound, field, message });
  return `CAST(${scope.dialect.placeholder(bound)} AS ${scope.dialect.type(type)})`;
}

const WANTED: Readonly<Record<Column['kind'], string>> = {
  integer: 'a number',
  float: 'a number',
  decimal: 'a number',
  text: 'text',
  instant: 'a date or timestamp in ISO 8601, as text',
  time: 'a time such as 06:30:00, as text',
  boolean: 'true or false',
  none: 'any value',
  other: 'a column of numbers, text, dates or booleans',
};

function comparandType(column: Column, value: Scalar): string | undefined {
  switch (column.kind) {
    case 'integer':
    case 'float':
    case 'decimal':
      return numberType(column, value);
    case 'none':
      return 'VARCHAR';
    case 'text':
      return typeof value === 'string' ? 'VARCHAR' : undefined;
    case 'instant':
    case 'time':
      return typeof value === 'string' ? column.type : undefined;
    case 'boolean':
      return typeof value === 'boolean' ? 'BOOLEAN' : undefined;
    case 'other':
      return undefined;
  }
}

/** Numbers that JSON cannot hold exactly may be given as text. */
function numberType(column: Column, value: Scalar): string | undefined {
  const text = String(value);
  if (typeof value === 'boolean' || !NUMBER.test(text)) return undefined;
  // 0.1 as FLOAT is not 0.1 as DOUBLE: compared as DOUBLE no stored value would equal its bound.
  if (column.kind === 'float') return column.type;
  if (!WHOLE_NUMBER.test(text)) return 'DOUBLE';
  // BIGINT compares several times as fast as HUGEINT.
  return Number.isSafeInteger(Number(text)) ? 'BIGINT' : 'HUGEINT';
}
