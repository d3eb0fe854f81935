/**
 * Rows of a table's data files as DuckDB reads them, columns found by field id: Iceberg spec, "Column Projection", so
 * that files from before a rename, a promotion or a new column read as the schema is now.
 */
import { EngineError } from '../../errors.ts';
import type { DuckDbSession } from '../duckdb/duckdb-engine.ts';
import { quoteLiteral } from '../duckdb/quote.ts';
import { duckDbTypeOf } from './duckdb-types.ts';
import { isPrimitive, type IcebergType, type Schema, type StructType } from './schema.ts';

/**
 * What stands after FROM. Columns are named by {@link columnName}, so that none hides DuckDB's own `file_index`, the
 * position in `paths`.
 */
export function tableRows(paths: readonly string[], schema: StructType, typeOf = duckDbTypeOf): string {
  const columns = schema.fields.map((field) => {
    const type = quoteLiteral(typeOf(field.type));
    return `${field.id}: {name: ${quoteLiteral(columnName(field.id))}, type: ${type}, default_value: NULL}`;
  });
  const files = paths.map(quoteLiteral).join(', ');
  return `read_parquet([${files}], schema = MAP {${columns.join(', ')}}, hive_partitioning = false)`;
}

export function columnName(fieldId: number): string {
  return `c${fieldId}`;
}

/** @throws EngineError `UnsupportedError` for files without field ids, whose columns would all read as NULL */
export async function checkFieldIds(session: DuckDbSession, paths: readonly string[]): Promise<void> {
  const [row] = await session.rows(
    `SELECT count(*) AS files FROM (SELECT file_name FROM parquet_schema([${paths.map(quoteLiteral).join(', ')}])
      GROUP BY file_name HAVING count(field_id) = 0)`,
  );
  if (row?.['files'] !== 0n) {
    throw new EngineError(
      'UnsupportedError',
      `${String(row?.['files'])} data files of the table have no field ids (they were added to it, not written by it)`,
    );
  }
}

/**
 * DuckDB finds top-level columns by id, but fields of structs by name.
 *
 * @throws EngineError `UnsupportedError` when a field of a struct ever had another name, or its name another field
 */
export function checkNestedNames(schemas: readonly Schema[], current: Schema): void {
  const now = nestedFields(current);
  const nowById = new Map(Array.from(now, ([path, id]) => [id, path]));
  for (const schema of schemas) {
    for (const [path, id] of nestedFields(schema)) {
      if ((now.get(path) ?? id) !== id || (nowById.get(id) ?? path) !== path) {
        throw new EngineError(
          'UnsupportedError',
          'fields inside a struct of the table were renamed; its rows cannot be read',
        );
      }
    }
  }
}

/** Ids of the fields below the top level, by their paths; a path starts with its column's id. */
function nestedFields(schema: StructType): Map<string, number> {
  const found = new Map<string, number>();
  const visit = (type: IcebergType, path: string): void => {
    if (isPrimitive(type)) return;
    if (type.type === 'list') visit(type.element, `${path}.element`);
    else if (type.type === 'map') visit(type.value, `${path}.value`);
    else {
      for (const field of type.fields) {
        const here = `${path}.${field.name}`;
        found.set(here, field.id);
        visit(field.type, here);
      }
    }
  };
  for (const field of schema.fields) visit(field.type, String(field.id));
  return found;
}
