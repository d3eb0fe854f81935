/** The partition tuple in manifests: Iceberg spec, "Manifests", `partition`, with the types of Appendix A, "Avro". */
import type { AvroField, AvroSchema } from './avro-types.ts';
import type { PartitionValueField } from './partition-spec.ts';
import { parsePrimitive, type PrimitiveType } from './schema.ts';
import { fromTwosComplement, twosComplement } from './single-value.ts';
import type { IcebergValue } from './value.ts';

export function avroPartitionType(fields: readonly PartitionValueField[]): AvroSchema {
  const named = new Set<string>();
  return {
    type: 'record',
    name: 'r102',
    fields: fields.map((field): AvroField => {
      const name = avroName(field.name);
      return {
        name,
        type: ['null', namedOnce(avroTypeOf(field.resultType), field.fieldId, named)],
        default: null,
        'field-id': field.fieldId,
        ...(name === field.name ? {} : { 'iceberg-field-name': field.name }),
      };
    }),
  };
}

export function toAvroValue(type: PrimitiveType, value: IcebergValue): unknown {
  const primitive = parsePrimitive(type);
  switch (primitive.kind) {
    case 'int':
    case 'date':
      return Number(value);
    case 'decimal':
      return twosComplement(value as bigint, decimalBytes(primitive.precision));
    default:
      return value;
  }
}

/** Also of files that were written before the column was promoted to a wider type. */
export function fromAvroValue(type: PrimitiveType, value: unknown): IcebergValue {
  const { kind } = parsePrimitive(type);
  if (kind === 'decimal') return fromTwosComplement(value as Buffer);
  if (kind === 'float' || kind === 'double') return value as number;
  return typeof value === 'number' ? BigInt(value) : (value as IcebergValue);
}

function avroTypeOf(type: PrimitiveType): AvroSchema {
  const primitive = parsePrimitive(type);
  switch (primitive.kind) {
    case 'boolean':
    case 'int':
    case 'long':
    case 'float':
    case 'double':
    case 'string':
      return primitive.kind;
    case 'binary':
      return 'bytes';
    case 'date':
      return { type: 'int', logicalType: 'date' };
    case 'time':
      return { type: 'long', logicalType: 'time-micros' };
    case 'timestamp':
      return { type: 'long', logicalType: 'timestamp-micros', 'adjust-to-utc': false };
    case 'timestamptz':
      return { type: 'long', logicalType: 'timestamp-micros', 'adjust-to-utc': true };
    case 'uuid':
      return { type: 'fixed', size: 16, logicalType: 'uuid', name: 'uuid_fixed' };
    case 'fixed':
      return { type: 'fixed', size: primitive.length, name: `fixed_${primitive.length}` };
    case 'decimal': {
      const { precision, scale } = primitive;
      const name = `decimal_${precision}_${scale}`;
      return { type: 'fixed', size: decimalBytes(precision), logicalType: 'decimal', precision, scale, name };
    }
  }
}

/** The fewest bytes that hold every value of that many digits. */
function decimalBytes(precision: number): number {
  return twosComplement(10n ** BigInt(precision)).length;
}

/**
 * Avro has a name defined once. Afterwards the name alone would do for the same type, but pyiceberg does not read that; what
 * it is called matters to nobody.
 */
function namedOnce(type: AvroSchema, fieldId: number, named: Set<string>): AvroSchema {
  if (typeof type === 'string' || Array.isArray(type) || type.name === undefined) return type;
  if (named.has(type.name)) return { ...type, name: `${type.name}_${fieldId}` };
  named.add(type.name);
  return type;
}

/** Avro's names have letters, digits and _ only; the rest is spelled out as Iceberg's Java writer does. */
function avroName(name: string): string {
  return Array.from({ length: name.length }, (_, at) => {
    const unit = name.charAt(at);
    if (/[A-Za-z_]/.test(unit) || (at > 0 && /\d/.test(unit))) return unit;
    return /\d/.test(unit) ? `_${unit}` : `_x${unit.charCodeAt(0).toString(16).toUpperCase()}`;
  }).join('');
}
