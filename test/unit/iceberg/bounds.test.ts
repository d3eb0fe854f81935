import { describe, expect, it } from 'vitest';
import { lowerBound, upperBound } from '../../../src/engines/iceberg/bounds.ts';

describe('bounds', () => {
  it('of strings, when they are longer than 16 characters, are cut below and raised above', () => {
    expect(lowerBound('string', 'abcdefghijklmnopq').toString()).toBe('abcdefghijklmnop');
    expect(upperBound('string', 'abcdefghijklmnopq')?.toString()).toBe('abcdefghijklmnoq');
    expect(upperBound('string', 'abcdefghijklmnop')?.toString()).toBe('abcdefghijklmnop');
  });

  it('of strings, when characters take two UTF-16 units, count characters', () => {
    const sixteen = '😀'.repeat(16);
    expect(lowerBound('string', `${sixteen}x`).toString()).toBe(sixteen);
    expect(upperBound('string', `${sixteen}x`)?.toString()).toBe(`${'😀'.repeat(15)}😁`);
  });

  it('of strings, when the last character cannot be raised, raise the one before', () => {
    const last = String.fromCodePoint(0x10ffff);
    expect(upperBound('string', `${'a'.repeat(15)}${last}z`)?.toString()).toBe(`${'a'.repeat(14)}b`);
    expect(upperBound('string', last.repeat(17))).toBeUndefined();
    expect(upperBound('string', `${'a'.repeat(15)}\ud7ffz`)?.toString()).toBe(`${'a'.repeat(15)}\ue000`);
  });

  it('of binaries, when they are long, are cut and raised by bytes', () => {
    const long = Buffer.concat([Buffer.alloc(14, 1), Buffer.from([5, 255, 9])]);
    expect(lowerBound('binary', long)).toEqual(long.subarray(0, 16));
    expect(upperBound('binary', long)).toEqual(Buffer.concat([Buffer.alloc(14, 1), Buffer.from([6])]));
    expect(upperBound('binary', Buffer.alloc(17, 255))).toBeUndefined();
  });

  it('of floats, when a bound is zero, hold both zeros', () => {
    expect(lowerBound('double', 0).readDoubleLE()).toBe(-0);
    expect(upperBound('double', -0)?.readDoubleLE()).toBe(0);
  });
});
