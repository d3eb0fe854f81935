import type { DataFile } from '../iceberg/data-file.ts';
import type { StructType } from '../iceberg/schema.ts';
import { deserializeValue } from '../iceberg/single-value.ts';
import type { Interval } from './interval.ts';

const DAY_US = 86_400_000_000n;

/**
 * Whether a data file may have rows of an interval, by the bounds that its manifest tells. Only files that surely have
 * none are told so; the rows of the others are looked at one by one (`interval.ts`, with the same meaning of time).
 */
export function mayHaveRowsOf(interval: Interval, schema: StructType): (file: DataFile) => boolean {
  const name = interval.column.toLowerCase();
  const field = schema.fields.find((candidate) => candidate.name.toLowerCase() === name);
  const type = field?.type;
  if (field === undefined || (type !== 'date' && type !== 'timestamp' && type !== 'timestamptz')) return () => true;
  const ofText = type === 'timestamptz' ? instantUs : wallClockUs;
  const startUs = ofText(interval.startIso);
  const endUs = ofText(interval.endIso);
  const ofBound = (bound: Buffer | undefined): bigint | undefined => {
    if (bound === undefined) return undefined;
    const value = deserializeValue(type, bound) as bigint;
    return type === 'date' ? value * DAY_US : value;
  };
  return (file) => {
    const leastUs = ofBound(file.lowerBounds?.get(field.id));
    const mostUs = ofBound(file.upperBounds?.get(field.id));
    return (leastUs === undefined || leastUs < endUs) && (mostUs === undefined || mostUs >= startUs);
  };
}

function instantUs(iso: string): bigint {
  return BigInt(Date.parse(iso)) * 1000n;
}

/** What a clock in the interval's zone shows, as if that were UTC. */
function wallClockUs(iso: string): bigint {
  return instantUs(iso.replace(/(?:Z|[+-]\d{2}:\d{2})$/, 'Z'));
}
