/** Iceberg spec, Appendix D, "Binary single-value serialization": how bounds are written in manifests. */
import { parsePrimitive, type PrimitiveType } from './schema.ts';
import type { IcebergValue } from './value.ts';

export function serializeValue(type: PrimitiveType, value: IcebergValue): Buffer {
  const primitive = parsePrimitive(type);
  switch (primitive.kind) {
    case 'boolean':
      return Buffer.from([value === true ? 1 : 0]);
    case 'int':
    case 'date': {
      const bytes = Buffer.alloc(4);
      bytes.writeInt32LE(Number(value));
      return bytes;
    }
    case 'long':
    case 'time':
    case 'timestamp':
    case 'timestamptz': {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(value as bigint);
      return bytes;
    }
    case 'float': {
      const bytes = Buffer.alloc(4);
      bytes.writeFloatLE(value as number);
      return bytes;
    }
    case 'double': {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleLE(value as number);
      return bytes;
    }
    case 'decimal':
      return twosComplement(value as bigint);
    case 'string':
      return Buffer.from(value as string);
    case 'uuid':
    case 'fixed':
    case 'binary':
      return value as Buffer;
  }
}

/**
 * The value that was written, also when the column was narrower then: a promoted int or float keeps the bounds of its
 * old files (Iceberg spec, "Schema Evolution").
 */
export function deserializeValue(type: PrimitiveType, bytes: Buffer): IcebergValue {
  const primitive = parsePrimitive(type);
  switch (primitive.kind) {
    case 'boolean':
      return bytes[0] !== 0;
    case 'int':
    case 'date':
    case 'long':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return bytes.length === 4 ? BigInt(bytes.readInt32LE()) : bytes.readBigInt64LE();
    case 'float':
    case 'double':
      return bytes.length === 4 ? bytes.readFloatLE() : bytes.readDoubleLE();
    case 'decimal':
      return fromTwosComplement(bytes);
    case 'string':
      return bytes.toString();
    case 'uuid':
    case 'fixed':
    case 'binary':
      return bytes;
  }
}

/** Big-endian, in the fewest bytes that hold the sign, or in exactly `length` of them. */
export function twosComplement(value: bigint, length?: number): Buffer {
  const magnitude = value < 0n ? -value - 1n : value;
  const size = length ?? Math.floor(magnitude.toString(2).length / 8) + 1;
  const bytes = Buffer.alloc(size);
  let rest = value;
  for (let at = size - 1; at >= 0; at--) {
    bytes[at] = Number(BigInt.asUintN(8, rest));
    rest >>= 8n;
  }
  return bytes;
}

export function fromTwosComplement(bytes: Buffer): bigint {
  return bytes.length === 0 ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`));
}
