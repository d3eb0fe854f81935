/** The limits of a document (spec section 3), on a value that was parsed already. */
import type { Fault } from './fault.ts';
import { isMapping } from './json.ts';

export const MAX_DOCUMENT_BYTES = 1024 * 1024;
export const MAX_DEPTH = 20;
const MAX_FAULTS = 100;

/**
 * Faults of a value that cannot be a document: deeper than 20, more than 1 MiB when written out as JSON (aliases
 * count as what they stand for), or with something in it that JSON, JavaScript or PostgreSQL would lose or trip over.
 */
export function checkLimits(value: unknown): Fault[] {
  const walk: Walk = { faults: [], bytesLeft: MAX_DOCUMENT_BYTES };
  visit(value, '', 1, walk);
  if (walk.bytesLeft < 0) {
    walk.faults.push({ path: '', message: 'expected a document of at most 1 MiB, everything written out' });
  }
  return walk.faults;
}

interface Walk {
  faults: Fault[];
  bytesLeft: number;
}

function visit(value: unknown, path: string, depth: number, walk: Walk): void {
  if (walk.bytesLeft < 0 || walk.faults.length >= MAX_FAULTS) return;
  if (!Array.isArray(value) && !isMapping(value)) {
    const { bytes, fault } = weigh(value);
    walk.bytesLeft -= bytes;
    if (fault !== undefined) walk.faults.push({ path, message: fault });
    return;
  }
  if (!Array.isArray(value) && !isPlain(value)) {
    walk.faults.push({ path, message: 'expected what JSON can say' });
    return;
  }
  walk.bytesLeft -= 2;
  if (depth > MAX_DEPTH) {
    walk.faults.push({ path, message: `expected at most ${MAX_DEPTH} levels, one within another` });
    return;
  }
  for (const [key, inner] of Object.entries(value)) {
    const innerPath = path === '' ? key : `${path}.${key}`;
    const fault = faultOfKey(key);
    if (fault !== undefined) walk.faults.push({ path: innerPath, message: fault });
    walk.bytesLeft -= Array.isArray(value) ? 1 : Buffer.byteLength(key) + 4;
    visit(inner, innerPath, depth + 1, walk);
  }
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function faultOfKey(key: string): string | undefined {
  // An assignment to it would change the object's prototype instead of making an entry.
  if (key === '__proto__') return 'expected another key; this one is not allowed anywhere';
  return faultOfText(key);
}

function weigh(value: unknown): { bytes: number; fault?: string | undefined } {
  switch (typeof value) {
    case 'string':
      return { bytes: Buffer.byteLength(value) + 3, fault: faultOfText(value) };
    case 'number':
      return { bytes: 8, fault: faultOfNumber(value) };
    case 'boolean':
      return { bytes: 5 };
    default:
      return value === null ? { bytes: 5 } : { bytes: 5, fault: `expected what JSON can say, got ${typeof value}` };
  }
}

function faultOfNumber(value: number): string | undefined {
  if (!Number.isFinite(value)) return `expected a finite number, got ${value}`;
  // Whatever was written there, it is another number by now.
  const inexact = Number.isInteger(value) && !Number.isSafeInteger(value);
  return inexact ? 'expected a number within ±(2^53 - 1); a check takes a larger one as text, in quotes' : undefined;
}

function faultOfText(text: string): string | undefined {
  if (text.includes('\u0000')) return 'expected text without NUL characters';
  return text.isWellFormed() ? undefined : 'expected well-formed Unicode; there is half of a surrogate pair';
}
