/**
 * DuckDB's types and Iceberg's: which column type a result becomes, and as what a column is written to Parquet so that
 * it is stored as the Iceberg spec asks (Appendix A, "Parquet").
 */
import {
  DuckDBArrayType,
  DuckDBDecimalType,
  DuckDBListType,
  DuckDBStructType,
  DuckDBTypeId,
  type DuckDBType,
} from '@duckdb/node-api';
import { EngineError } from '../../errors.ts';
import { quoteIdentifier } from '../duckdb/quote.ts';
import { isPrimitive, parsePrimitive, type IcebergType, type PrimitiveType } from './schema.ts';

/** A type that has no field ids yet. */
export type InputType = PrimitiveType | { list: InputType } | { struct: InputColumn[] };

/** A column of the rows to be loaded. */
export interface InputColumn {
  name: string;
  type: InputType;
  /** No row has a value in it, so that its type says nothing. */
  valueless?: true;
}

const PRIMITIVES: Partial<Record<DuckDBTypeId, PrimitiveType>> = {
  [DuckDBTypeId.BOOLEAN]: 'boolean',
  [DuckDBTypeId.TINYINT]: 'int',
  [DuckDBTypeId.SMALLINT]: 'int',
  [DuckDBTypeId.INTEGER]: 'int',
  [DuckDBTypeId.UTINYINT]: 'int',
  [DuckDBTypeId.USMALLINT]: 'int',
  [DuckDBTypeId.UINTEGER]: 'long',
  [DuckDBTypeId.BIGINT]: 'long',
  [DuckDBTypeId.UBIGINT]: 'decimal(20, 0)',
  [DuckDBTypeId.FLOAT]: 'float',
  [DuckDBTypeId.DOUBLE]: 'double',
  [DuckDBTypeId.DATE]: 'date',
  [DuckDBTypeId.TIMESTAMP]: 'timestamp',
  [DuckDBTypeId.TIMESTAMP_S]: 'timestamp',
  [DuckDBTypeId.TIMESTAMP_MS]: 'timestamp',
  [DuckDBTypeId.TIMESTAMP_TZ]: 'timestamptz',
  [DuckDBTypeId.VARCHAR]: 'string',
  [DuckDBTypeId.ENUM]: 'string',
  [DuckDBTypeId.UUID]: 'uuid',
  [DuckDBTypeId.BLOB]: 'binary',
};

/** What to do about types that are left out. Iceberg has a time of day, but Spark has none and cannot open such a table. */
const HINTS: Partial<Record<DuckDBTypeId, string>> = {
  [DuckDBTypeId.TIMESTAMP_NS]: '; nanoseconds come with version 3, cast it to TIMESTAMP',
  [DuckDBTypeId.TIME]:
    '; Spark reads no time of day: cast it to VARCHAR or make a TIMESTAMP of it, or give a column of a file a type in options.types',
};

/**
 * @param column for the message: which column it is
 * @throws EngineError `UnsupportedError` for a type that an Iceberg v2 table cannot hold as it is
 */
export function inputTypeOf(type: DuckDBType, column: string): InputType {
  if (type instanceof DuckDBDecimalType) return `decimal(${type.width}, ${type.scale})`;
  if (type instanceof DuckDBListType || type instanceof DuckDBArrayType) {
    return { list: inputTypeOf(type.valueType, `${column}.element`) };
  }
  if (type instanceof DuckDBStructType) {
    const struct = type.entryNames.map((name, at): InputColumn => {
      const entry = type.entryTypes[at];
      if (entry === undefined) throw new TypeError(`the struct ${column} has no type for ${name}`);
      return { name, type: inputTypeOf(entry, `${column}.${name}`) };
    });
    return { struct };
  }
  const primitive = PRIMITIVES[type.typeId];
  if (primitive !== undefined) return primitive;
  const hint = HINTS[type.typeId] ?? '';
  throw new EngineError(
    'UnsupportedError',
    `column ${column} is ${type.toString()}, which has no type in the Iceberg tables written here${hint}`,
  );
}

/**
 * What a value is cast to before it is written.
 *
 * @throws EngineError `UnsupportedError` for maps and fixed, which this writer cannot write
 */
export function duckDbTypeOf(type: IcebergType): string {
  if (!isPrimitive(type)) {
    if (type.type === 'list') return `${duckDbTypeOf(type.element)}[]`;
    if (type.type === 'map') throw new EngineError('UnsupportedError', 'columns of type map are not supported');
    const entries = type.fields.map((field) => `${quoteIdentifier(field.name)} ${duckDbTypeOf(field.type)}`);
    return `STRUCT(${entries.join(', ')})`;
  }
  const primitive = parsePrimitive(type);
  switch (primitive.kind) {
    case 'boolean':
      return 'BOOLEAN';
    case 'int':
      return 'INTEGER';
    case 'long':
      return 'BIGINT';
    case 'float':
      return 'FLOAT';
    case 'double':
      return 'DOUBLE';
    case 'decimal':
      return `DECIMAL(${primitive.precision}, ${primitive.scale})`;
    case 'date':
      return 'DATE';
    case 'time':
      return 'TIME';
    case 'timestamp':
      return 'TIMESTAMP';
    case 'timestamptz':
      return 'TIMESTAMPTZ';
    case 'string':
      return 'VARCHAR';
    case 'uuid':
      return 'UUID';
    case 'binary':
      return 'BLOB';
    case 'fixed':
      throw new EngineError('UnsupportedError', 'columns of type fixed are not supported');
  }
}

/** As what a value is read, also of types that this writer cannot write. */
export function duckDbReadType(type: IcebergType): string {
  if (isPrimitive(type)) return parsePrimitive(type).kind === 'fixed' ? 'BLOB' : duckDbTypeOf(type);
  if (type.type === 'list') return `${duckDbReadType(type.element)}[]`;
  if (type.type === 'map') return `MAP(${duckDbReadType(type.key)}, ${duckDbReadType(type.value)})`;
  const entries = type.fields.map((field) => `${quoteIdentifier(field.name)} ${duckDbReadType(field.type)}`);
  return `STRUCT(${entries.join(', ')})`;
}

/** How a type is told to a person. */
export function describeType(type: InputType | IcebergType): string {
  if (typeof type === 'string') return type;
  if ('list' in type) return `list<${describeType(type.list)}>`;
  if ('struct' in type) return `struct<${describeFields(type.struct)}>`;
  if (type.type === 'list') return `list<${describeType(type.element)}>`;
  if (type.type === 'map') return `map<${describeType(type.key)}, ${describeType(type.value)}>`;
  return `struct<${describeFields(type.fields)}>`;
}

function describeFields(fields: readonly { name: string; type: InputType | IcebergType }[]): string {
  return fields.map((field) => `${field.name}: ${describeType(field.type)}`).join(', ');
}
