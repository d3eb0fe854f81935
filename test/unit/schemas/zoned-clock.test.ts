import { expect, test } from 'vitest';
import { zonedIso } from '../../../src/schemas/zoned-clock.ts';

test.each([
  ['2001-01-01T00:00:00Z', 'UTC', '2001-01-01T00:00:00.000+00:00'],
  ['2000-12-31T23:00:00Z', 'Europe/Berlin', '2001-01-01T00:00:00.000+01:00'],
  ['2001-06-30T22:00:00Z', 'Europe/Berlin', '2001-07-01T00:00:00.000+02:00'],
  ['2001-01-01T05:00:00Z', 'America/New_York', '2001-01-01T00:00:00.000-05:00'],
  ['2001-01-01T00:00:00Z', 'Asia/Kolkata', '2001-01-01T05:30:00.000+05:30'],
  // Clocks that jump over midnight, at it and before it; over a whole day; at another time.
  ['2017-10-15T03:00:00Z', 'America/Sao_Paulo', '2017-10-15T00:00:00.000-03:00'],
  ['2017-10-15T03:00:00.001Z', 'America/Sao_Paulo', '2017-10-15T01:00:00.001-02:00'],
  ['2011-12-30T10:00:00Z', 'Pacific/Apia', '2011-12-31T00:00:00.000+14:00'],
  ['2001-03-25T01:00:00Z', 'Europe/Berlin', '2001-03-25T03:00:00.000+02:00'],
])('%s, when it is told for %s, is %s', (instant, timezone, expected) => {
  expect(zonedIso(new Date(instant), timezone)).toBe(expected);
  expect(Date.parse(expected)).toBe(Date.parse(instant));
});
