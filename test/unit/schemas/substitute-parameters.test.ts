import { describe, expect, test } from 'vitest';
import type { ParameterValue } from '../../../src/schemas/parameters.ts';
import { substituteParameters } from '../../../src/schemas/substitute-parameters.ts';
import { Random } from './random.ts';

const VALUES: Record<string, ParameterValue> = {
  run_id: { type: 'string', value: 'r1' },
  day: { type: 'date', value: '2001-01-31' },
  n: { type: 'int', value: 7 },
  rate: { type: 'float', value: 0.5 },
  flag: { type: 'boolean', value: false },
  sly: { type: 'string', value: '${day}' },
  thief: { type: 'string', value: '${secret:PASSWORD}' },
  dollar: { type: 'string', value: '$' },
  rest: { type: 'string', value: '{secret:PASSWORD}' },
};

function substituted(definition: unknown) {
  const { value, faults } = substituteParameters({ definition }, VALUES);
  return faults.length > 0
    ? faults.map(({ path, message }) => `${path}: ${message}`)
    : (value as { definition: unknown }).definition;
}

describe('a definition with parameters', () => {
  test('when a text is a parameter and nothing else, has its typed value', () => {
    expect(substituted({ a: '${n}', b: ['${flag}', '${rate}'], c: '${day}' })).toEqual({
      a: 7,
      b: [false, 0.5],
      c: '2001-01-31',
    });
  });

  test('when a text has more than the parameter, has its text', () => {
    expect(substituted({ path: 'out/${day}/${n}-${flag}.csv' })).toEqual({ path: 'out/2001-01-31/7-false.csv' });
  });

  test('when a value looks like a parameter, does not look at it again', () => {
    expect(substituted({ a: '${sly}', b: 'x${sly}', c: '${dollar}${rest}' })).toEqual({
      a: '${day}',
      b: 'x${day}',
      c: '${secret:PASSWORD}',
    });
  });

  test('when a text is escaped, has the text', () => {
    expect(substituted({ a: '$${day}', b: '$$${day}', c: 'costs $5 {or} $' })).toEqual({
      a: '${day}',
      b: '$${day}',
      c: 'costs $5 {or} $',
    });
  });

  test('when it has SQL, leaves it to be bound', () => {
    const definition = {
      sources: { s: { query: 'select ${day}' } },
      quality_checks: { checks: [{ sql: 'select $${x} ${n}' }] },
      transformations: [{ sql: 'select ${n}' }, { statement: 'insert into ${output} select ${n} from ${input:s}' }],
    };

    expect(substituted(definition)).toEqual(definition);
  });

  test('when a field is only called sql, puts the parameter in', () => {
    expect(substituted({ transformations: [{ conf: { sql: 'x ${n}' } }] })).toEqual({
      transformations: [{ conf: { sql: 'x 7' } }],
    });
  });

  test('when it names secrets where they may stand, leaves them', () => {
    const definition = {
      sources: { s: { connection: 'postgres://u:${secret:DB}@h/d', headers: { a: 'Bearer ${secret:API}' } } },
      sinks: { t: { connection: '${secret:DB}' } },
      transformations: [{ profile: { outputs: [{ password: '${secret:DBT}' }] } }],
    };

    expect(substituted(definition)).toEqual(definition);
  });

  test('when it is outside of the definition, leaves it', () => {
    const document = { name: '${day}', description: '${nobody}', definition: {} };

    expect(substituteParameters(document, VALUES)).toMatchObject({ value: document, faults: [] });
  });

  test.each([
    [{ path: '${nobody}' }, 'definition.path: ${nobody} is not a declared parameter; expected one of run_id, day'],
    [{ path: '${da}' }, 'not a declared parameter'],
    [{ path: '${constructor}' }, 'not a declared parameter'],
    [{ path: 'a/${}' }, '${} is not a declared parameter'],
    [{ path: 'a/${ day }' }, '${ day } is not a declared parameter'],
    [{ path: 'a/${day' }, 'expected } after ${'],
    [{ path: '${interval_start}' }, '${interval_start} is only there when the run is given an interval'],
    [
      { transformations: [{ sql: 'select ${interval_end}' }] },
      'definition.transformations.0.sql: ${interval_end} is only there',
    ],
    [
      { transformations: [{ sql: 'select ${nobody}' }] },
      'definition.transformations.0.sql: ${nobody} is not a declared',
    ],
    [{ transformations: [{ sql: 'select ${input:s}' }] }, 'not a declared parameter'],
    [
      { sources: { s: { connection: 'postgres://${day}' } } },
      'definition.sources.s.connection: expected no parameter here',
    ],
    [{ sources: { s: { table: '${day}' } } }, 'definition.sources.s.table: expected no parameter here'],
    [{ sinks: { s: { table: 'a.${day}' } } }, 'definition.sinks.s.table: expected no parameter here'],
    [
      { sources: { s: { url: 'https://${day}/a' } } },
      'definition.sources.s.url: expected the host of the URL as it is',
    ],
    [{ sources: { s: { url: 'https://a.b${day}/a' } } }, 'expected the host of the URL as it is'],
    [{ sources: { s: { url: '${day}' } } }, 'expected the host of the URL as it is'],
    [{ sources: { s: { url: 'https://a.b/${secret:X}' } } }, 'expected no secret here'],
    [{ path: '${secret:X}' }, 'definition.path: expected no secret here'],
    [{ transformations: [{ sql: "select '${secret:X}'" }] }, 'expected no secret here'],
    [{ transformations: [{ profile: '${thief}' }] }, 'expected secrets to be named by the document'],
    [{ sources: { s: { headers: { a: 'x ${thief}' } } } }, 'expected secrets to be named by the document'],
    [{ sources: { s: { headers: { a: '${dollar}${rest}' } } } }, 'expected secrets to be named by the document'],
    [{ sources: { s: { headers: { a: '$${secret:X}' } } } }, 'expected secrets to be named by the document'],
    [{ sources: { s: { connection: '${secret:../x}' } } }, 'expected ${secret:NAME} with letters'],
  ])('when it is %j, is refused', (definition, fault) => {
    expect(substituted(definition)).toEqual([expect.stringContaining(fault)]);
  });

  test('when a URL has parameters after its host, has them', () => {
    expect(substituted({ sources: { s: { url: 'https://a.b/x?day=${day}' } } })).toEqual({
      sources: { s: { url: 'https://a.b/x?day=2001-01-31' } },
    });
  });

  test('when a long value stands in many places, is refused before it uses up memory', () => {
    const long = { long: { type: 'string', value: 'x'.repeat(10_000) } as const };

    const { faults } = substituteParameters({ definition: { a: '${long}'.repeat(50_000) } }, long);

    expect(faults).toEqual([{ path: 'definition.a', message: expect.stringContaining('at most 1 MiB') as string }]);
  });
});

test('a definition, when it is garbage, never throws, and without faults keeps its shape', () => {
  for (let seed = 0; seed < 2000; seed += 1) {
    const definition = new Random(seed).value(5);

    const { value, faults } = substituteParameters({ definition }, VALUES);

    if (faults.length === 0 && !JSON.stringify(definition).includes('${')) expect(value).toEqual({ definition });
    expect(Object.keys(value as object)).toEqual(['definition']);
  }
});
