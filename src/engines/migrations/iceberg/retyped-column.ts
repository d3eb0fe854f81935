import { duckDbTypeOf } from '../../iceberg/duckdb-types.ts';
import { isPrimitive, parsePrimitive, fieldById, type NestedField, type Schema } from '../../iceberg/schema.ts';
import { columnName } from '../../iceberg/table-rows.ts';

/** A column that a migration widened: as it was before, and its type since. */
export interface RetypedColumn {
  field: NestedField;
  narrow: string;
  wide: string;
}

export function retypedColumns(before: Schema, after: Schema): RetypedColumn[] {
  return before.fields.flatMap((field) => {
    const now = fieldById(after, field.id);
    // A migration changes the types of no others.
    if (now === undefined || !isPrimitive(field.type) || !isPrimitive(now.type) || now.type === field.type) return [];
    return [{ field, narrow: field.type, wide: now.type }];
  });
}

/** For a row of DuckDB's `parquet_schema`: whether it is this column, stored as readers of the narrow type do not take it. */
export function isStoredWide({ field, narrow }: RetypedColumn): string {
  const type = parsePrimitive(narrow);
  const isNarrow =
    type.kind === 'decimal'
      ? `precision <= ${type.precision} AND scale = ${type.scale}`
      : `type = '${type.kind === 'float' ? 'FLOAT' : 'INT32'}'`;
  return `(field_id = ${field.id} AND (${isNarrow}) IS NOT TRUE)`;
}

/** For a row that is read with the wide type: DuckDB rounds a double without a word. NULL and NaN fit. */
export function doesNotFit({ field, narrow, wide }: RetypedColumn): string {
  const value = columnName(field.id);
  const there = `TRY_CAST(${value} AS ${duckDbTypeOf(narrow)})`;
  return `CAST(${there} AS ${duckDbTypeOf(wide)}) IS DISTINCT FROM ${value}`;
}
