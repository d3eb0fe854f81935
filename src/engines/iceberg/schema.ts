/**
 * Schemas as table metadata holds them: Iceberg spec, "Schemas and Data Types" and Appendix C ("Schemas"). The objects
 * have exactly the shape of the JSON, so that a schema others wrote goes back out as it came in.
 */
import { EngineError } from '../../errors.ts';

/** `int`, `decimal(9, 2)`, `fixed[16]`, ...: see {@link parsePrimitive}. */
export type PrimitiveType = string;

export interface StructType {
  type: 'struct';
  fields: NestedField[];
}

interface ListType {
  type: 'list';
  'element-id': number;
  'element-required': boolean;
  element: IcebergType;
}

interface MapType {
  type: 'map';
  'key-id': number;
  key: IcebergType;
  'value-id': number;
  'value-required': boolean;
  value: IcebergType;
}

export type IcebergType = PrimitiveType | StructType | ListType | MapType;

export interface NestedField {
  id: number;
  name: string;
  required: boolean;
  type: IcebergType;
  doc?: string;
}

export interface Schema extends StructType {
  'schema-id': number;
  'identifier-field-ids'?: number[];
}

const PLAIN_TYPES = [
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'string',
  'uuid',
  'binary',
] as const;

type PlainType = (typeof PLAIN_TYPES)[number];

export type Primitive =
  { kind: PlainType } | { kind: 'decimal'; precision: number; scale: number } | { kind: 'fixed'; length: number };

/**
 * The parts of a primitive type's name.
 *
 * @throws EngineError `UnsupportedError` for a type that format version 2 does not have
 */
export function parsePrimitive(type: PrimitiveType): Primitive {
  const plain = PLAIN_TYPES.find((name) => name === type);
  if (plain !== undefined) return { kind: plain };
  const decimal = /^decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)$/.exec(type);
  if (decimal) return { kind: 'decimal', precision: Number(decimal[1]), scale: Number(decimal[2]) };
  const fixed = /^fixed\[\s*(\d+)\s*\]$/.exec(type);
  if (fixed) return { kind: 'fixed', length: Number(fixed[1]) };
  throw new EngineError('UnsupportedError', `the Iceberg type ${type} is not supported`);
}

export function isPrimitive(type: IcebergType): type is PrimitiveType {
  return typeof type === 'string';
}

/** A column in which every row has at most one value: a primitive, by itself or inside structs. */
export interface LeafColumn {
  id: number;
  /** Of the top-level column that it is, or that it is in. */
  columnId: number;
  /** From the top level down. */
  path: string[];
  type: PrimitiveType;
  /** Neither it nor any struct around it may be null. */
  required: boolean;
}

/**
 * The columns for which files carry statistics. Elements of lists and maps are left out: how many of them a file has
 * says nothing about its rows (the reference implementation keeps no bounds for them either).
 */
export function leafColumns(struct: StructType): LeafColumn[] {
  return struct.fields.flatMap((field) => leavesOf(field, { columnId: field.id, path: [], required: true }));
}

function leavesOf(field: NestedField, around: Pick<LeafColumn, 'columnId' | 'path' | 'required'>): LeafColumn[] {
  const { columnId } = around;
  const path = [...around.path, field.name];
  const required = around.required && field.required;
  const { id, type } = field;
  if (isPrimitive(type)) return [{ id, columnId, path, type, required }];
  return type.type === 'struct' ? type.fields.flatMap((inner) => leavesOf(inner, { columnId, path, required })) : [];
}

/** The top-level field with this id. */
export function fieldById(schema: StructType, id: number): NestedField | undefined {
  return schema.fields.find((field) => field.id === id);
}
