import { expect, test } from 'vitest';
import { zonedIso } from '../../../src/schemas/zoned-clock.ts';

test.each([
  ['2001-01-01T00:00:00Z', 'UTC', '2001-01-01T00:00:00.000+00:00'],
  ['2000-12-31T23:00:00Z', 'Europe/Berlin', '2001-01-01T00:00:00.000+01:00'],
  ['2001-06-30T22:00:00Z', 'Europe/Berlin', '2001-07-01T00:00:00.000+02:00'],
  ['2001-01-01T05:00:00Z', 'America/New_York', '2001-01-01T00:00:00.000-05:00'],
  ['2001-01-01T00:00:00Z', 'Asia/Kolkata', '2001-01-01T05:30:00.000+05:30'],
])('%s, when it is told for %s, is %s', (instant, timezone, expected) => {
  expect(zonedIso(new Date(instant), timezone)).toBe(expected);
  expect(Date.parse(expected)).toBe(Date.parse(instant));
});
