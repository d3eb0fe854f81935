import { expect, test } from 'vitest';
import { type PartitionSize, partitionsOf, type TimeRange } from '../../../src/schemas/partition-range.ts';
import { zonedIso } from '../../../src/schemas/zoned-clock.ts';

const SIZES: PartitionSize[] = ['hour', 'day', 'week', 'month'];
/** Clocks that change by an hour, by half of one, at midnight in both directions, over a day; odd offsets; none. */
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'America/Sao_Paulo',
  'America/Havana',
  'Africa/Cairo',
  'Asia/Kolkata',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'Pacific/Apia',
  'America/St_Johns',
];

function cut(start: string, end: string, size: PartitionSize, timezone: string): TimeRange[] {
  return [...partitionsOf({ startMs: Date.parse(start), endMs: Date.parse(end) }, size, timezone)];
}

const hours = ({ startMs, endMs }: TimeRange) => (endMs - startMs) / 3_600_000;
const starts = (partitions: TimeRange[], timezone: string) =>
  partitions.map(({ startMs }) => zonedIso(new Date(startMs), timezone).replace(':00.000', ''));

/** The same numbers every time, so that a failure can be looked at. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

/** Whether clocks show a boundary at this instant, or have just jumped over one. */
function isBoundary(atMs: number, size: PartitionSize, timezone: string): boolean {
  const [before, at] = [atMs - 1, atMs].map((ms) => zonedIso(new Date(ms), timezone));
  // An hour that clocks show twice begins twice.
  if (size === 'hour' && at?.slice(13, 23) === ':00:00.000') return true;
  const unit = { hour: 13, day: 10, week: 10, month: 7 }[size];
  if (before?.slice(0, unit) === at?.slice(0, unit)) return false;
  if (size !== 'week') return true;
  const monday = (iso = '') => Math.floor((Date.parse(`${iso.slice(0, 10)}T00:00:00Z`) / 86_400_000 - 4) / 7);
  return monday(before) !== monday(at);
}

test.each(ZONES)('ranges anywhere in %s, when cut into any size, are tiled and cut at local boundaries', (timezone) => {
  const random = randomNumbers(42);
  for (let round = 0; round < 60; round += 1) {
    const size = SIZES[round % SIZES.length] ?? 'day';
    const startMs =
      Date.UTC(1990 + Math.floor(random() * 40), Math.floor(random() * 12), 1) + random() * 31 * 86_400_000;
    const lengthMs = (0.5 + random()) * { hour: 5, day: 60, week: 300, month: 900 }[size] * 86_400_000;
    const range = { startMs: Math.floor(startMs), endMs: Math.floor(startMs + lengthMs) };
    const partitions = [...partitionsOf(range, size, timezone)];

    expect(partitions[0]?.startMs).toBe(range.startMs);
    expect(partitions.at(-1)?.endMs).toBe(range.endMs);
    for (const [at, partition] of partitions.entries()) {
      expect(partition.endMs).toBeGreaterThan(partition.startMs);
      if (at === 0) continue;
      expect(partition.startMs).toBe(partitions[at - 1]?.endMs);
      const when = `${size} at ${zonedIso(new Date(partition.startMs), timezone)}`;
      expect([when, isBoundary(partition.startMs, size, timezone)]).toEqual([when, true]);
    }
    // No boundary was passed over: nothing is longer than its unit, whatever clocks do on the way.
    const longest = { hour: 2, day: 25, week: 169, month: 31 * 24 + 1 }[size];
    for (const partition of partitions) expect(hours(partition)).toBeLessThanOrEqual(longest);
  }
});

test('days, when clocks go forward and back, have 23 and 25 hours', () => {
  const spring = cut('2001-03-24T00:00:00+01:00', '2001-03-27T00:00:00+02:00', 'day', 'Europe/Berlin');
  expect(spring.map(hours)).toEqual([24, 23, 24]);
  const autumn = cut('2001-10-27T00:00:00+02:00', '2001-10-30T00:00:00+01:00', 'day', 'Europe/Berlin');
  expect(autumn.map(hours)).toEqual([24, 25, 24]);
});

test('hours, when clocks go forward and back, are as many as pass', () => {
  const day = (start: string, end: string) => cut(start, end, 'hour', 'Europe/Berlin');
  expect(day('2001-03-25T00:00:00+01:00', '2001-03-26T00:00:00+02:00')).toHaveLength(23);
  const autumn = day('2001-10-28T00:00:00+02:00', '2001-10-29T00:00:00+01:00');
  expect(autumn).toHaveLength(25);
  expect(new Set(autumn.map(hours))).toEqual(new Set([1]));
});

test('a day, when its midnight does not exist, begins where clocks jump over it', () => {
  const days = cut('2017-10-14T03:00:00Z', '2017-10-17T02:00:00Z', 'day', 'America/Sao_Paulo');
  expect(starts(days, 'America/Sao_Paulo')).toEqual([
    '2017-10-14T00:00-03:00',
    '2017-10-15T00:00-03:00',
    '2017-10-16T00:00-02:00',
  ]);
});

test('a day, when its midnight occurs twice, begins at the first one', () => {
  const days = cut('2017-11-04T04:00:00Z', '2017-11-07T05:00:00Z', 'day', 'America/Havana');
  expect(starts(days, 'America/Havana')).toEqual([
    '2017-11-04T00:00-04:00',
    '2017-11-05T00:00-04:00',
    '2017-11-06T00:00-05:00',
  ]);
  expect(days.map(hours)).toEqual([24, 25, 24]);
});

test('a day, when a country leaves it out, has no partition', () => {
  const days = cut('2011-12-29T10:00:00Z', '2012-01-01T10:00:00Z', 'day', 'Pacific/Apia');
  expect(starts(days, 'Pacific/Apia').map((iso) => iso.slice(0, 10))).toEqual([
    '2011-12-29',
    '2011-12-31',
    '2012-01-01',
  ]);
});

test('weeks and months, when a range begins within one, begin on Mondays and firsts', () => {
  expect(starts(cut('2001-01-03T00:00:00Z', '2001-01-17T00:00:00Z', 'week', 'UTC'), 'UTC')).toEqual([
    '2001-01-03T00:00+00:00',
    '2001-01-08T00:00+00:00',
    '2001-01-15T00:00+00:00',
  ]);
  expect(starts(cut('2001-01-31T12:00:00Z', '2001-04-01T00:00:00Z', 'month', 'UTC'), 'UTC')).toEqual([
    '2001-01-31T12:00+00:00',
    '2001-02-01T00:00+00:00',
    '2001-03-01T00:00+00:00',
  ]);
});

test('a range, when it is empty, has no partitions', () => {
  expect(cut('2001-01-01T00:00:00Z', '2001-01-01T00:00:00Z', 'day', 'UTC')).toEqual([]);
});
