/**
 * Whether rows fit a table, and the schema that the table gets so that they do: Iceberg spec, "Schema Evolution" (type
 * promotions of format version 2, new columns optional, ids never used again).
 */
import { EngineError } from '../../errors.ts';
import { describeType, duckDbTypeOf, type InputColumn, type InputType } from './duckdb-types.ts';
import {
  isPrimitive,
  parsePrimitive,
  type IcebergType,
  type NestedField,
  type PrimitiveType,
  type Schema,
  type StructType,
} from './schema.ts';

/** Deeper nesting is refused: readers and writers recurse. */
const MAX_DEPTH = 20;

export interface FittedSchema {
  /** The table's own when nothing changed; otherwise one without a valid `schema-id` yet. */
  schema: StructType;
  lastColumnId: number;
  changed: boolean;
}

/** The schema of a table that is made for these rows; every column optional, since no query promises otherwise. */
export function schemaForRows(columns: readonly InputColumn[]): FittedSchema {
  const ids = new FieldIds(0);
  return { schema: numbered(columns, ids, 0), lastColumnId: ids.last, changed: true };
}

/**
 * The schema under which the rows are written.
 *
 * @throws EngineError `SchemaConflictError` that names every column that does not fit
 */
export function fitSchema(
  table: { schema: Schema; lastColumnId: number },
  columns: readonly InputColumn[],
  evolution: 'none' | 'add_columns',
): FittedSchema {
  const fit = new Fit(table.lastColumnId, evolution);
  const schema = fit.struct(table.schema, columns, [], 0);
  if (fit.conflicts.length > 0) {
    throw new EngineError('SchemaConflictError', `the rows do not fit the table: ${fit.conflicts.join('; ')}`);
  }
  return { schema, lastColumnId: fit.ids.last, changed: fit.changed };
}

class FieldIds {
  last: number;

  constructor(last: number) {
    this.last = last;
  }

  next(): number {
    this.last += 1;
    return this.last;
  }
}

/** Ids for a struct's fields first, then for what lies inside them, as other writers number. */
function numbered(columns: readonly InputColumn[], ids: FieldIds, depth: number): StructType {
  if (depth > MAX_DEPTH) throw new EngineError('UnsupportedError', `types nested deeper than ${MAX_DEPTH}`);
  const own = columns.map((column) => ({ column, id: ids.next() }));
  const fields = own.map(({ column, id }): NestedField => {
    return { id, name: column.name, required: false, type: numberedType(column.type, ids, depth + 1) };
  });
  return { type: 'struct', fields };
}

function numberedType(type: InputType, ids: FieldIds, depth: number): IcebergType {
  if (typeof type === 'string') return type;
  if ('struct' in type) return numbered(type.struct, ids, depth);
  const elementId = ids.next();
  const element = numberedType(type.list, ids, depth + 1);
  return { type: 'list', 'element-id': elementId, 'element-required': false, element };
}

class Fit {
  readonly ids: FieldIds;
  readonly conflicts: string[] = [];
  changed = false;
  readonly #evolving: boolean;

  constructor(lastColumnId: number, evolution: 'none' | 'add_columns') {
    this.ids = new FieldIds(lastColumnId);
    this.#evolving = evolution === 'add_columns';
  }

  struct<T extends StructType>(table: T, columns: readonly InputColumn[], path: string[], depth: number): T {
    const fields = table.fields.map((field) => this.#field(field, columns, path, depth));
    const known = new Set(table.fields.map((field) => field.name));
    const added = columns
      .filter((column) => !known.has(column.name))
      .flatMap((column) => this.#added(table, column, path, depth));
    return added.length > 0 || fields.some((field, at) => field !== table.fields[at])
      ? { ...table, fields: [...fields, ...added] }
      : table;
  }

  #field(field: NestedField, columns: readonly InputColumn[], path: string[], depth: number): NestedField {
    const here = [...path, field.name];
    const column = columns.find((candidate) => candidate.name === field.name);
    if (column === undefined) {
      if (field.required) this.#conflict(here, `is required by the table and not in the rows`);
      return field;
    }
    if (column.valueless === true) {
      // Refuses what cannot be written, as for every other column; a NULL fits whatever else there is.
      duckDbTypeOf(field.type);
      return field;
    }
    const type = this.#type(field.type, column.type, here, depth + 1);
    return type === field.type ? field : { ...field, type };
  }

  #added(table: StructType, column: InputColumn, path: string[], depth: number): NestedField[] {
    const here = [...path, column.name];
    // DuckDB, Spark and most others could not tell the two columns apart.
    const twin = table.fields.find((field) => field.name.toLowerCase() === column.name.toLowerCase());
    if (twin !== undefined) {
      this.#conflict(here, `differs from the table's ${twin.name} only in case`);
      return [];
    }
    // Added with the first rows that tell its type.
    if (this.#evolving && column.valueless === true) return [];
    if (!this.#evolving) {
      this.#conflict(here, 'is not in the table (schema_evolution: add_columns would add it)');
      return [];
    }
    this.changed = true;
    return [{ ...only(numbered([column], this.ids, depth).fields), required: false }];
  }

  #type(table: IcebergType, input: InputType, path: string[], depth: number): IcebergType {
    if (isPrimitive(table) && typeof input === 'string') return this.#primitive(table, input, path);
    if (!isPrimitive(table) && typeof input !== 'string') {
      if (table.type === 'struct' && 'struct' in input) return this.struct(table, input.struct, path, depth);
      if (table.type === 'list' && 'list' in input) {
        const element = this.#type(table.element, input.list, [...path, 'element'], depth + 1);
        return element === table.element ? table : { ...table, element };
      }
    }
    this.#mismatch(table, input, path);
    return table;
  }

  #primitive(table: PrimitiveType, input: PrimitiveType, path: string[]): PrimitiveType {
    // Refuses what cannot be written before anything is.
    duckDbTypeOf(table);
    if (holds(table, input)) return table;
    if (holds(input, table)) {
      if (this.#evolving) {
        this.changed = true;
        return input;
      }
      this.#conflict(
        path,
        `is ${input}, wider than the table's ${table} (schema_evolution: add_columns would widen it)`,
      );
      return table;
    }
    this.#mismatch(table, input, path);
    return table;
  }

  #mismatch(table: IcebergType, input: InputType, path: string[]): void {
    this.#conflict(path, `is ${describeType(input)}, the table has ${describeType(table)}`);
  }

  #conflict(path: string[], fault: string): void {
    this.conflicts.push(`column ${path.join('.')} ${fault}`);
  }
}

function only(fields: NestedField[]): NestedField {
  const [field] = fields;
  if (field === undefined) throw new TypeError('expected a field');
  return field;
}

/** Whether `narrow` may be promoted to `wide`, or is it. */
function holds(wide: PrimitiveType, narrow: PrimitiveType): boolean {
  const to = parsePrimitive(wide);
  const from = parsePrimitive(narrow);
  if (to.kind === 'decimal' && from.kind === 'decimal') {
    return to.scale === from.scale && to.precision >= from.precision;
  }
  if (to.kind === from.kind) return to.kind !== 'fixed' || wide === narrow;
  return (from.kind === 'int' && to.kind === 'long') || (from.kind === 'float' && to.kind === 'double');
}
