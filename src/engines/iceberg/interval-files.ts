import type { DataFile } from './data-file.ts';
import type { StructType } from './schema.ts';
import { deserializeValue } from './single-value.ts';
import type { Interval } from '../sources/interval.ts';

const DAY_US = 86_400_000_000n;

/** Tells files by the bounds that their manifests have of the interval's column, with the same meaning of time as `interval.ts`. */
export interface IntervalFiles {
  /** False only for files that surely have no rows of the interval; those of the others are looked at one by one. */
  mayHaveRows: (file: DataFile) => boolean;
  /** True only for files of which surely all rows are in the interval. */
  hasNoOthers: (file: DataFile) => boolean;
}

export function filesOfInterval(interval: Interval, schema: StructType): IntervalFiles {
  const name = interval.column.toLowerCase();
  const field = schema.fields.find((candidate) => candidate.name.toLowerCase() === name);
  const type = field?.type;
  if (field === undefined || (type !== 'date' && type !== 'timestamp' && type !== 'timestamptz')) {
    return { mayHaveRows: () => true, hasNoOthers: () => false };
  }
  const ofText = type === 'timestamptz' ? instantUs : wallClockUs;
  const startUs = ofText(interval.startIso);
  const endUs = ofText(interval.endIso);
  const ofBound = (bound: Buffer | undefined): bigint | undefined => {
    if (bound === undefined) return undefined;
    const value = deserializeValue(type, bound) as bigint;
    return type === 'date' ? value * DAY_US : value;
  };
  const bounds = ({ lowerBounds, upperBounds }: DataFile) => ({
    leastUs: ofBound(lowerBounds?.get(field.id)),
    mostUs: ofBound(upperBounds?.get(field.id)),
  });
  return {
    mayHaveRows: (file) => {
      const { leastUs, mostUs } = bounds(file);
      return (leastUs === undefined || leastUs < endUs) && (mostUs === undefined || mostUs >= startUs);
    },
    hasNoOthers: (file) => {
      const { leastUs, mostUs } = bounds(file);
      if (leastUs === undefined || mostUs === undefined || file.nullCounts?.get(field.id) !== 0n) return false;
      return leastUs >= startUs && mostUs < endUs;
    },
  };
}

function instantUs(iso: string): bigint {
  return BigInt(Date.parse(iso)) * 1000n;
}

/** What a clock in the interval's zone shows, as if that were UTC. */
function wallClockUs(iso: string): bigint {
  return instantUs(iso.replace(/(?:Z|[+-]\d{2}:\d{2})$/, 'Z'));
}
