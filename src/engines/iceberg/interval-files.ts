import type { Interval } from '../sources/interval.ts';
import { mayHaveRows, type ColumnRange } from './column-ranges.ts';
import type { DataFile } from './data-file.ts';
import type { NestedField, StructType } from './schema.ts';
import { deserializeValue } from './single-value.ts';
import { compareValues } from './value.ts';

const DAY_US = 86_400_000_000n;

/** Tells files by the bounds that their manifests have of the interval's column, with the same meaning of time as `interval.ts`. */
export interface IntervalFiles {
  /** In which the rows of the interval are; none where nothing is known of the column. */
  ranges: readonly ColumnRange[];
  /** False only for files that surely have no rows of the interval; those of the others are looked at one by one. */
  mayHaveRows: (file: DataFile) => boolean;
  /** True only for files of which surely all rows are in the interval. */
  hasNoOthers: (file: DataFile) => boolean;
}

export function filesOfInterval(interval: Interval, schema: StructType): IntervalFiles {
  const field = columnOf(interval, schema);
  const type = field?.type;
  if (field === undefined || (type !== 'date' && type !== 'timestamp' && type !== 'timestamptz')) {
    return { ranges: [], mayHaveRows: () => true, hasNoOthers: () => false };
  }
  const ofText = type === 'timestamptz' ? instantUs : wallClockUs;
  const first = ofText(interval.startIso);
  const last = ofText(interval.endIso) - 1n;
  const isDate = type === 'date';
  // A day is in the interval when its first instant is.
  const range = { smallest: isDate ? -floorDays(-first) : first, largest: isDate ? floorDays(last) : last };
  const ranges = [{ id: field.id, type, ...range }];
  return {
    ranges,
    mayHaveRows: (file) => mayHaveRows(file, ranges),
    hasNoOthers: ({ lowerBounds, upperBounds, nullCounts }) => {
      const [lower, upper] = [lowerBounds?.get(field.id), upperBounds?.get(field.id)];
      if (lower === undefined || upper === undefined || nullCounts?.get(field.id) !== 0n) return false;
      const [least, most] = [deserializeValue(type, lower), deserializeValue(type, upper)];
      return compareValues(least, range.smallest) >= 0 && compareValues(most, range.largest) <= 0;
    },
  };
}

/** The table's column that the interval is of. */
export function columnOf(interval: Interval, schema: StructType): NestedField | undefined {
  const name = interval.column.toLowerCase();
  return schema.fields.find((candidate) => candidate.name.toLowerCase() === name);
}

function floorDays(us: bigint): bigint {
  return (us - (((us % DAY_US) + DAY_US) % DAY_US)) / DAY_US;
}

function instantUs(iso: string): bigint {
  return BigInt(Date.parse(iso)) * 1000n;
}

/** What a clock in the interval's zone shows, as if that were UTC. */
function wallClockUs(iso: string): bigint {
  return instantUs(iso.replace(/(?:Z|[+-]\d{2}:\d{2})$/, 'Z'));
}
