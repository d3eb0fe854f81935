/**
 * Partition values of single column values, and the column's values of a partition, for those transforms that keep the
 * order of values: Iceberg spec, "Partition Transforms". Rows get theirs from DuckDB (`partition-key.ts`).
 */
import type { Transform } from './partition-spec.ts';
import { parsePrimitive, type PrimitiveType } from './schema.ts';
import type { IcebergValue } from './value.ts';

const HOUR_US = 3_600_000_000n;
const DAY_US = 24n * HOUR_US;
const DAY_MS = 86_400_000;
/** Of which the order is the same everywhere. */
const ORDERED = ['int', 'long', 'decimal', 'date', 'time', 'timestamp', 'timestamptz', 'string'];

/** Whether bounds of values of this type can be trusted, whoever wrote them. */
export function isOrdered(type: PrimitiveType): boolean {
  return ORDERED.includes(parsePrimitive(type).kind);
}

/** Undefined for transforms, and types, whose order says nothing. */
export function orderedPartitionValue(
  transform: Transform,
  type: PrimitiveType,
  value: IcebergValue,
): IcebergValue | undefined {
  if (!isOrdered(type)) return undefined;
  switch (transform.kind) {
    case 'identity':
      return value;
    case 'truncate':
      if (typeof value === 'string') return Array.from(value).slice(0, transform.width).join('');
      return typeof value === 'bigint' ? value - modulo(value, BigInt(transform.width)) : undefined;
    case 'hour':
      return floorDivide(microseconds(type, value), HOUR_US);
    case 'day':
      return floorDivide(microseconds(type, value), DAY_US);
    case 'month':
    case 'year':
      return calendarValue(transform.kind, floorDivide(microseconds(type, value), DAY_US));
    case 'bucket':
    case 'void':
      return undefined;
  }
}

/** The values of the column in the partitions from `least` to `most`; undefined when they have no ends. */
export function valuesOfPartitions(
  transform: Transform,
  type: PrimitiveType,
  [least, most]: [IcebergValue, IcebergValue],
): { smallest: IcebergValue; largest: IcebergValue } | undefined {
  if (!isOrdered(type)) return undefined;
  if (transform.kind === 'identity') return { smallest: least, largest: most };
  if (typeof least !== 'bigint' || typeof most !== 'bigint') return undefined;
  switch (transform.kind) {
    case 'truncate':
      return { smallest: least, largest: most + BigInt(transform.width) - 1n };
    case 'hour':
      return { smallest: least * HOUR_US, largest: (most + 1n) * HOUR_US - 1n };
    case 'day':
    case 'month':
    case 'year': {
      const first = firstDay(transform.kind, least);
      const next = firstDay(transform.kind, most + 1n);
      if (first === undefined || next === undefined) return undefined;
      return type === 'date'
        ? { smallest: first, largest: next - 1n }
        : { smallest: first * DAY_US, largest: next * DAY_US - 1n };
    }
    case 'bucket':
    case 'void':
      return undefined;
  }
}

function microseconds(type: PrimitiveType, value: IcebergValue): bigint {
  return type === 'date' ? (value as bigint) * DAY_US : (value as bigint);
}

/** Months or years since 1970; undefined beyond what JavaScript's calendar has. */
function calendarValue(kind: 'month' | 'year', day: bigint): bigint | undefined {
  const date = new Date(Number(day) * DAY_MS);
  if (Number.isNaN(date.getTime())) return undefined;
  const years = date.getUTCFullYear() - 1970;
  return BigInt(kind === 'year' ? years : years * 12 + date.getUTCMonth());
}

function firstDay(kind: 'day' | 'month' | 'year', value: bigint): bigint | undefined {
  if (kind === 'day') return value;
  const date = new Date(0);
  date.setUTCFullYear(1970 + (kind === 'year' ? Number(value) : 0), kind === 'month' ? Number(value) : 0, 1);
  return Number.isNaN(date.getTime()) ? undefined : BigInt(date.getTime() / DAY_MS);
}

function floorDivide(value: bigint, by: bigint): bigint {
  return (value - modulo(value, by)) / by;
}

function modulo(value: bigint, by: bigint): bigint {
  return ((value % by) + by) % by;
}
