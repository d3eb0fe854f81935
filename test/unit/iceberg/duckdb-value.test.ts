import { describe, expect, it } from 'vitest';
import { parseDuckDbText } from '../../../src/engines/iceberg/duckdb-value.ts';

const days = (date: string) => BigInt(Date.parse(`${date}T00:00:00Z`) / 86_400_000);
const micros = (instant: string) => BigInt(Date.parse(instant)) * 1000n;

describe("DuckDB's text of a value, when read, is the value", () => {
  it.each([
    ['boolean', '1', true],
    ['boolean', 'false', false],
    ['long', '-9223372036854775808', -9_223_372_036_854_775_808n],
    ['double', '-0.0', -0],
    ['double', '1e+300', 1e300],
    ['float', '-inf', -Infinity],
    ['decimal(9, 2)', '-0.05', -5n],
    ['decimal(9, 2)', '12.3', 1230n],
    ['decimal(20, 0)', '18446744073709551615', 18_446_744_073_709_551_615n],
    ['date', '1969-12-31', -1n],
    ['date', '0044-03-15 (BC)', days('-000043-03-15')],
    ['date', '12020-01-01', days('+012020-01-01')],
    ['date', '5881580-07-10', 2_147_483_646n],
    ['date', '2000-02-29', days('2000-02-29')],
    ['date', '1900-03-01', days('1900-03-01')],
    ['time', '12:00:00.000001', 43_200_000_001n],
    ['timestamp', '1969-12-31 23:59:59.999999', -1n],
    ['timestamp', '0044-03-15 (BC) 10:00:00', micros('-000043-03-15T10:00:00Z')],
    ['timestamptz', '2019-12-31 22:00:00.5+00', micros('2019-12-31T22:00:00.500Z')],
    ['timestamptz', '2019-12-31 17:00:00-05:30', micros('2019-12-31T22:30:00Z')],
    ['timestamptz', '0044-03-15 (BC) 10:00:00+00', micros('-000043-03-15T10:00:00Z')],
    ['string', 'true', 'true'],
  ])('%s %s', (type, text, value) => {
    expect(parseDuckDbText(type, text)).toBe(value);
  });

  it('of a date, when it is infinity, is refused in words', () => {
    expect(() => parseDuckDbText('date', 'infinity')).toThrow(/cannot hold the date or time infinity/);
  });
});
