/**
 * Lower and upper bounds of a column in a file, as manifests hold them (Iceberg spec, "Manifests": `lower_bounds`,
 * `upper_bounds`). A bound may be looser than the truth, never tighter: readers skip files by it.
 */
import type { PrimitiveType } from './schema.ts';
import { serializeValue } from './single-value.ts';
import type { IcebergValue } from './value.ts';

/** Code points of a string, bytes of a binary: `truncate(16)`, the default of `write.metadata.metrics.default`. */
const BOUND_LENGTH = 16;

/** -0.0 is below +0.0, and Parquet's statistics do not tell which of them a column has. */
export function lowerBound(type: PrimitiveType, smallest: IcebergValue): Buffer {
  if (smallest === 0) return serializeValue(type, -0);
  if (type === 'string') return Buffer.from(firstCodePoints(smallest as string));
  if (type === 'binary') return (smallest as Buffer).subarray(0, BOUND_LENGTH);
  return serializeValue(type, smallest);
}

/** Undefined when nothing that short is above the largest value. */
export function upperBound(type: PrimitiveType, largest: IcebergValue): Buffer | undefined {
  if (largest === 0) return serializeValue(type, 0);
  if (type === 'string') return upperStringBound(largest as string);
  if (type === 'binary') return upperBinaryBound(largest as Buffer);
  return serializeValue(type, largest);
}

function firstCodePoints(text: string): string {
  return Array.from(text.slice(0, BOUND_LENGTH * 2))
    .slice(0, BOUND_LENGTH)
    .join('');
}

function upperStringBound(largest: string): Buffer | undefined {
  const kept = firstCodePoints(largest);
  if (kept === largest) return Buffer.from(largest);
  const codePoints = Array.from(kept, (character) => character.codePointAt(0) ?? 0);
  for (let last = codePoints.pop(); last !== undefined; last = codePoints.pop()) {
    // Surrogates are not characters of their own, so the one after U+D7FF is U+E000.
    const next = last === 0xd7ff ? 0xe000 : last + 1;
    if (next <= 0x10ffff) return Buffer.from(String.fromCodePoint(...codePoints, next));
  }
  return undefined;
}

function upperBinaryBound(largest: Buffer): Buffer | undefined {
  if (largest.length <= BOUND_LENGTH) return largest;
  const bytes = Buffer.from(largest.subarray(0, BOUND_LENGTH));
  for (let at = bytes.length - 1; at >= 0; at--) {
    const byte = bytes[at] ?? 0;
    if (byte < 0xff) {
      bytes[at] = byte + 1;
      return bytes.subarray(0, at + 1);
    }
  }
  return undefined;
}
