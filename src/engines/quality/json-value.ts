import { DuckDBArrayValue, DuckDBListValue, DuckDBStructValue } from '@duckdb/node-api';
import type { JsonValue } from './quality-report.ts';

/** Characters of a text, elements of a list, columns of a row: a report shows what is wrong, it carries no data. */
const MAX_TEXT_LENGTH = 200;
const MAX_ELEMENTS = 50;
const MAX_COLUMNS = 200;

/** One row as DuckDB gives it, as plain and short JSON. */
export function toJsonRow(row: Readonly<Record<string, unknown>>): Record<string, JsonValue> {
  const cells = Object.entries(row).slice(0, MAX_COLUMNS);
  return Object.fromEntries(cells.map(([name, value]) => [name, toJsonValue(value)]));
}

/**
 * A DuckDB value as JSON: whole numbers as numbers while a number can hold them, everything that JSON does not know
 * (dates, decimals, uuids, large numbers, NaN) as DuckDB writes it in text.
 */
export function toJsonValue(value: unknown): JsonValue {
  if (value === null || value === undefined) return null;
  switch (typeof value) {
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'bigint':
      return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
    case 'string':
      return shorten(value);
    default:
      return objectToJson(value);
  }
}

function objectToJson(value: unknown): JsonValue {
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) {
    return value.items.slice(0, MAX_ELEMENTS).map(toJsonValue);
  }
  if (value instanceof DuckDBStructValue) return toJsonRow(value.entries);
  // The other value objects of DuckDB write themselves as SQL does.
  return shorten(String(value));
}

/** Cut between characters, never inside one. */
function shorten(text: string): string {
  if (text.length <= MAX_TEXT_LENGTH) return text;
  const cut = text.slice(0, MAX_TEXT_LENGTH - 1);
  return `${cut.isWellFormed() ? cut : cut.slice(0, -1)}…`;
}
