import { describe, expect, test } from 'vitest';
import { bindParameters, exampleValues } from '../../../src/schemas/parameters.ts';
import { Random } from './random.ts';

const RUN = { run_id: 'r1', scheduled_at: '2026-02-12T06:00:00Z' };

const DECLARED = {
  text: { type: 'string', default: 'a' },
  whole: { type: 'int', default: 1 },
  number: { type: 'float', default: 0.5 },
  flag: { type: 'boolean', default: true },
  day: { type: 'date', default: '2001-01-01' },
  instant: { type: 'timestamp', default: '2001-01-01T06:00:00Z' },
  size: { type: 'enum', values: ['tiny', 'large'], default: 'tiny' },
};

function bound(declared: unknown, given: unknown = {}) {
  const result = bindParameters(declared, given, RUN);
  return 'faults' in result ? result.faults.map(({ path, message }) => `${path}: ${message}`) : result.values;
}

describe('the parameters of a run', () => {
  test('when nothing is given, are the defaults and what is built in', () => {
    expect(bound(DECLARED)).toEqual({
      run_id: { type: 'string', value: 'r1' },
      scheduled_at: { type: 'timestamp', value: '2026-02-12T06:00:00Z' },
      text: { type: 'string', value: 'a' },
      whole: { type: 'int', value: 1 },
      number: { type: 'float', value: 0.5 },
      flag: { type: 'boolean', value: true },
      day: { type: 'date', value: '2001-01-01' },
      instant: { type: 'timestamp', value: '2001-01-01T06:00:00Z' },
      size: { type: 'string', value: 'tiny' },
    });
  });

  test('when the run has an interval, have it too', () => {
    const interval = { interval_start: '2001-01-01T00:00:00+01:00', interval_end: '2001-01-02T00:00:00+01:00' };

    expect(bindParameters({}, {}, { ...RUN, ...interval })).toHaveProperty('values.interval_end', {
      type: 'timestamp',
      value: '2001-01-02T00:00:00+01:00',
    });
  });

  test('when a default stands alone, have its type', () => {
    expect(bound({ a: 'x', b: 2, c: 2.5, d: false })).toMatchObject({
      a: { type: 'string', value: 'x' },
      b: { type: 'int', value: 2 },
      c: { type: 'float', value: 2.5 },
      d: { type: 'boolean', value: false },
    });
  });

  test('when some are given, have those', () => {
    expect(bound(DECLARED, { whole: -7, number: 3, day: '2024-02-29', size: 'large', flag: false })).toMatchObject({
      whole: { value: -7 },
      number: { type: 'float', value: 3 },
      day: { value: '2024-02-29' },
      size: { value: 'large' },
      flag: { value: false },
    });
  });

  test('when a timestamp has no offset, is taken for UTC', () => {
    expect(bound(DECLARED, { instant: '2001-01-01T06:00' })).toMatchObject({ instant: { value: '2001-01-01T06:00Z' } });
  });

  test.each([
    [{ text: 1 }, 'parameters.text: expected text of at most 10000 characters, got 1'],
    [{ text: 'a\u0000' }, 'parameters.text: expected text'],
    [{ whole: 1.5 }, 'parameters.whole: expected a whole number within ±(2^53 - 1) (int), got 1.5'],
    [{ whole: '1' }, 'parameters.whole: expected a whole number within ±(2^53 - 1) (int), got "1"'],
    [{ whole: 2 ** 53 }, 'parameters.whole: expected a whole number within ±(2^53 - 1) (int)'],
    [{ number: Infinity }, 'parameters.number: expected a number (float)'],
    [{ number: null }, 'parameters.number: expected a number (float), got null'],
    [{ flag: 'true' }, 'parameters.flag: expected true or false (boolean), got "true"'],
    [{ day: '2001-02-29' }, 'parameters.day: expected a date such as 2001-01-31, got "2001-02-29"'],
    [{ day: '2001-1-1' }, 'parameters.day: expected a date'],
    [{ day: '0000-01-01' }, 'parameters.day: expected a date'],
    [{ day: ['2001-01-01'] }, 'parameters.day: expected a date such as 2001-01-31, got a list'],
    [{ day: "2001-01-01'; drop table x; --" }, 'parameters.day: expected a date'],
    [{ instant: '2001-01-01' }, 'parameters.instant: expected a timestamp'],
    [{ instant: '2001-01-01T24:00:00Z' }, 'parameters.instant: expected a timestamp'],
    [{ instant: '2001-13-01T00:00:00Z' }, 'parameters.instant: expected a timestamp'],
    [{ instant: '2001-01-01T00:00:00.1234567Z' }, 'parameters.instant: expected a timestamp'],
    [{ size: 'medium' }, 'parameters.size: expected one of tiny, large, got "medium"'],
    [{ size: { tiny: 1 } }, 'parameters.size: expected one of tiny, large, got a mapping'],
    [{ hole: 1 }, 'parameters.hole: is not declared; expected one of text, whole'],
    [{ wole: 1 }, 'did you mean whole?'],
    [{ run_id: 'x' }, 'parameters.run_id: is built in and cannot be given'],
    [{ constructor: 1 }, 'parameters.constructor: is not declared'],
    [[1], 'parameters: expected names and values, got a list'],
    ['x', 'parameters: expected names and values, got "x"'],
  ])('when %j is given, are refused', (given, fault) => {
    expect(bound(DECLARED, given)).toEqual([expect.stringContaining(fault)]);
  });

  test('when one without a default is not given, are refused', () => {
    expect(bound({ day: { type: 'date' } })).toEqual([
      'parameters.day: is required, since it has no default: expected a date such as 2001-01-31',
    ]);
  });

  test('when several are wrong, have all faults at once', () => {
    expect(bound(DECLARED, { whole: 'x', day: 'y', other: 1 })).toHaveLength(3);
  });
});

describe('a declaration', () => {
  test.each([
    [{ a: { type: 'enum' } }, 'parameters.a.values: is required'],
    [{ a: { type: 'int', values: ['1'] } }, 'parameters.a.values: only an enum has values'],
    [{ a: { type: 'enum', values: ['x', 'x'] } }, 'parameters.a.values: expected each value once'],
    [{ a: { type: 'enum', values: ['x'], default: 'y' } }, 'parameters.a.default: expected one of x, got "y"'],
    [
      { a: { type: 'int', default: 'x' } },
      'parameters.a.default: expected a whole number within ±(2^53 - 1) (int), got "x"',
    ],
    [{ a: { type: 'date', default: '2001-02-30' } }, 'parameters.a.default: expected a date'],
    [{ a: { type: 'day' } }, 'parameters.a.type: expected one of string, int'],
    [{ a: { default: 1 } }, 'parameters.a.type: is required'],
    [{ a: null }, 'parameters.a: expected a mapping (keys and values) or text or a number or true or false, got null'],
    [{ interval_start: '2001-01-01' }, 'parameters.interval_start: is built in; expected another name'],
    [[], 'parameters: expected a mapping'],
  ])('when it is %j, is refused', (declared, fault) => {
    expect(exampleValues(declared).faults.map(({ path, message }) => `${path}: ${message}`)).toEqual([
      expect.stringContaining(fault),
    ]);
  });

  test('when it has no default, has an example of its type', () => {
    const { values, undecided, faults } = exampleValues({
      day: { type: 'date' },
      size: { type: 'enum', values: ['tiny', 'large'] },
      known: 5,
    });

    expect(faults).toEqual([]);
    expect(values).toMatchObject({ day: { type: 'date' }, size: { value: 'tiny' }, known: { value: 5 } });
    expect([...undecided]).toEqual(['day', 'size']);
  });
});

test('parameters, when both sides are garbage, are values or faults and never an exception', () => {
  for (let seed = 0; seed < 2000; seed += 1) {
    const random = new Random(seed);
    const [declared, given] = [random.value(), random.value()];

    const result = bindParameters(declared, given, RUN);

    if ('faults' in result) expect(result.faults.length).toBeGreaterThan(0);
    else
      expect(
        Object.values(result.values).every(({ value }) => ['string', 'number', 'boolean'].includes(typeof value)),
      ).toBe(true);
  }
});
