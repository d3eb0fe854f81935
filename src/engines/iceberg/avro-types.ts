/**
 * Avro schemas as Iceberg uses them: Iceberg spec, Appendix A, "Avro". Fields are known by their Iceberg field ids, not
 * by their names.
 */
import avro, { type Type } from 'avsc';

/** An Avro schema as it stands in a file, with Iceberg's attributes. */
export type AvroSchema = string | AvroSchema[] | AvroComplexSchema;

interface AvroComplexSchema {
  type: AvroSchema;
  name?: string;
  fields?: AvroField[];
  items?: AvroSchema;
  values?: AvroSchema;
  [attribute: string]: unknown;
}

export interface AvroField {
  name: string;
  type: AvroSchema;
  'field-id'?: number;
  [attribute: string]: unknown;
}

/** A record with its fields by id: `{f500: ..., f501: ...}`; longs are bigint, bytes and fixed are Buffer. */
export type AvroRecord = Record<string, unknown>;

export function fieldKey(id: number): string {
  return `f${id}`;
}

/** Making a type takes milliseconds, and most manifests of a table have the same one. */
const KNOWN_TYPES = new Map<string, Type>();
const MAX_KNOWN_TYPES = 100;

/**
 * avsc's type of a schema whose fields are renamed to their ids; Avro's encoding knows positions only.
 *
 * @param text the schema as JSON
 */
export function typeByIds(text: string): Type {
  const known = KNOWN_TYPES.get(text);
  if (known !== undefined) return known;
  const type = newType(JSON.parse(text) as AvroSchema);
  if (KNOWN_TYPES.size >= MAX_KNOWN_TYPES) KNOWN_TYPES.clear();
  KNOWN_TYPES.set(text, type);
  return type;
}

function newType(schema: AvroSchema): Type {
  return avro.Type.forSchema(byIds(schema) as avro.Schema, {
    // avsc would take {"type": "long"}, as others write it, for a long of its own that loses digits.
    typeHook: (part) => (part === 'long' || (part as { type?: unknown }).type === 'long' ? LONG : undefined),
    wrapUnions: 'never',
  });
}

function byIds(schema: AvroSchema): AvroSchema {
  if (typeof schema === 'string') return schema;
  if (Array.isArray(schema)) return schema.map(byIds);
  const { type, name, fields, items, values } = schema;
  const size = schema['size'];
  return {
    type: typeof type === 'string' ? type : byIds(type),
    ...(name === undefined ? {} : { name }),
    ...(size === undefined ? {} : { size }),
    ...(items === undefined ? {} : { items: byIds(items) }),
    ...(values === undefined ? {} : { values: byIds(values) }),
    ...(fields === undefined ? {} : { fields: fields.map(fieldById) }),
  };
}

function fieldById(field: AvroField): AvroField {
  const id = field['field-id'];
  return { name: id === undefined ? field.name : fieldKey(id), type: byIds(field.type) };
}

const LONG = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes;
  },
  fromJSON: BigInt,
  toJSON: String,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (left: bigint, right: bigint) => Number(left > right) - Number(left < right),
});
