import { describe, expect, it } from 'vitest';
import { murmur3, murmur3OfLong } from '../../../src/engines/iceberg/murmur3.ts';
import { twosComplement } from '../../../src/engines/iceberg/single-value.ts';

/** The values of the Iceberg spec, Appendix B. */
describe('the hash of buckets, when given a value of the spec, is the one that the spec tells', () => {
  it.each([
    ['int or long 34', 34n, 2017239379],
    ['date 2017-11-16', 17486n, -653330422],
    ['time 22:31:08', 81_068_000_000n, -662762989],
    ['timestamp 2017-11-16T22:31:08', 1_510_871_468_000_000n, -2047944441],
    ['timestamp 2017-11-16T22:31:08.000001', 1_510_871_468_000_001n, -1207196810],
  ])('%s', (_name, value, hash) => {
    expect(murmur3OfLong(value)).toBe(hash);
  });

  it.each([
    ['decimal 14.20', twosComplement(1420n), -500754589],
    ['string iceberg', Buffer.from('iceberg'), 1210000089],
    ['uuid f79c3e09-677c-4bbd-a479-3f349cb785e7', Buffer.from('f79c3e09677c4bbda4793f349cb785e7', 'hex'), 1488055340],
    ['binary 00 01 02 03', Buffer.from([0, 1, 2, 3]), -188683207],
  ])('%s', (_name, bytes, hash) => {
    expect(murmur3(bytes)).toBe(hash);
  });
});
