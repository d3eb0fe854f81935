import { describe, expect, it } from 'vitest';
import { deserializeValue, serializeValue, twosComplement } from '../../../src/engines/iceberg/single-value.ts';
import type { IcebergValue } from '../../../src/engines/iceberg/value.ts';

/** Iceberg spec, Appendix D. */
const CASES: [string, IcebergValue, string][] = [
  ['boolean', true, '01'],
  ['boolean', false, '00'],
  ['int', 34n, '22000000'],
  ['int', -1n, 'ffffffff'],
  ['long', 34n, '2200000000000000'],
  ['long', -9_223_372_036_854_775_808n, '0000000000000080'],
  ['float', 1, '0000803f'],
  ['double', -0, '0000000000000080'],
  ['date', 17_486n, '4e440000'],
  ['timestamp', -2n, 'feffffffffffffff'],
  ['decimal(9, 2)', 1420n, '058c'],
  ['decimal(9, 2)', -1n, 'ff'],
  ['decimal(38, 0)', 128n, '0080'],
  ['string', 'é', 'c3a9'],
  ['uuid', Buffer.from('f79c3e09677c4bbda4793f349cb785e7', 'hex'), 'f79c3e09677c4bbda4793f349cb785e7'],
  ['binary', Buffer.from([0, 255]), '00ff'],
];

describe('a single value', () => {
  it.each(CASES)('%s %s, when written, has the bytes of the spec and reads back', (type, value, hex) => {
    const bytes = serializeValue(type, value);
    expect(bytes.toString('hex')).toBe(hex);
    expect(deserializeValue(type, bytes)).toEqual(value);
  });

  it('of an int column, when the column was promoted to long since, still reads', () => {
    expect(deserializeValue('long', serializeValue('int', -5n))).toBe(-5n);
    expect(deserializeValue('double', serializeValue('float', 1.5))).toBe(1.5);
  });

  it('of a decimal, when a length is asked, is filled up by its sign', () => {
    expect(twosComplement(-2n, 4).toString('hex')).toBe('fffffffe');
    expect(twosComplement(2n, 4).toString('hex')).toBe('00000002');
  });
});
