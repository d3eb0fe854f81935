import { describe, expect, test } from 'vitest';
import { parameterBindings, placeParameters } from '../../../src/engines/duckdb/sql-parameters.ts';
import type { ParameterType } from '../../../src/schemas/parameters.ts';

const types: Record<string, ParameterType> = {
  month: 'date',
  name: 'string',
  n: 'int',
  share: 'float',
  flag: 'boolean',
  at: 'timestamp',
};

describe('placeParameters, when a parameter stands where a value can', () => {
  test.each([
    ['select ${n}', 'select CAST($n AS BIGINT)'],
    ['select ${share}, ${flag}', 'select CAST($share AS DOUBLE), CAST($flag AS BOOLEAN)'],
    ['where d >= ${month} and t < ${at}', 'where d >= CAST($month AS DATE) and t < CAST($at AS TIMESTAMPTZ)'],
    ['where x=${name}and y', undefined],
    ['where x=${name}--${', undefined],
    ['where x = ${name} -- ok', 'where x = CAST($name AS VARCHAR) -- ok'],
    ['x-${n}/${n}*${n}', 'x-CAST($n AS BIGINT)/CAST($n AS BIGINT)*CAST($n AS BIGINT)'],
    [
      "'it''s' || ${name} || E'\\'' || ${name}",
      "'it''s' || CAST($name AS VARCHAR) || E'\\'' || CAST($name AS VARCHAR)",
    ],
    ['$$a$$ || ${name} || $t$ $$ $t$', '$$a$$ || CAST($name AS VARCHAR) || $t$ $$ $t$'],
    ['/* a /* b */ c */ ${n}', '/* a /* b */ c */ CAST($n AS BIGINT)'],
    ['"a""b".c = ${n}', '"a""b".c = CAST($n AS BIGINT)'],
  ])('%s becomes %s', (sql, expected) => {
    const placed = placeParameters(sql, types);
    if (expected === undefined) expect(placed).toHaveProperty('fault');
    else expect(placed).toHaveProperty('sql', expected);
  });

  test('each name is told once', () => {
    expect(placeParameters('${n} ${month} ${n}', types)).toHaveProperty('names', ['n', 'month']);
  });
});

describe('placeParameters, when a parameter stands where no value can be', () => {
  test.each([
    ["select '${name}'", 'line 1: ${name} stands inside a literal'],
    ["select\n\n'a''${name}'", 'line 3: ${name} stands inside a literal'],
    ["select E'\\'${name}'", 'inside a literal'],
    ['select $$ ${name} $$', 'inside a literal'],
    ['select $tag$ ${name} $tag$', 'inside a literal'],
    ['select "${name}"', 'inside a quoted identifier'],
    ['select 1 -- ${name}', 'inside a comment'],
    ['select /* /* */ ${name} */ 1', 'inside a comment'],
    ["select 'never closed ${name}", 'inside a literal'],
    ['select delay_${name}', 'inside an identifier'],
    ['select ${name}_delay', 'followed by "_"'],
    ['select 1${n}', 'inside an identifier'],
    ['select ${n}0', 'followed by "0"'],
  ])('%s is a fault', (sql, fault) => {
    expect(placeParameters(sql, types)).toEqual({ fault: expect.stringContaining(fault) as string });
  });
});

describe('placeParameters, when something else looks like a parameter', () => {
  test.each([
    ['select ${other}', '${other} is not a declared parameter'],
    ['select ${constructor}', 'is not a declared parameter'],
    ['select ${secret:TOKEN}', 'secrets cannot be used in SQL'],
    ['select ${n', 'expected ${name}'],
    ['select $1', 'placeholders'],
    ['select $n', 'placeholders'],
    ['select ?', 'placeholders'],
    ['select ${n} + ?1', 'placeholders'],
  ])('%s is a fault', (sql, fault) => {
    expect(placeParameters(sql, types)).toEqual({ fault: expect.stringContaining(fault) as string });
  });

  test.each([
    ["select '$${name}'", "select '${name}'"],
    ["select '$$$${name}', '$1', 'a?b', 'name$'", "select '$$${name}', '$1', 'a?b', 'name$'"],
    ['select 1 -- $${name} $n ?', 'select 1 -- ${name} $n ?'],
    ['select a$b, a$$b', 'select a$b, a$$b'],
  ])('%s becomes %s', (sql, expected) => {
    expect(placeParameters(sql, types)).toEqual({ sql: expected, names: [] });
  });

  test('names that differ in case only, when both are used, are a fault', () => {
    expect(placeParameters('${n} ${N}', { n: 'int', N: 'int' })).toEqual({
      fault: expect.stringContaining('differ in case only') as string,
    });
  });
});

describe('parameterBindings', () => {
  test('an int, when bound, is exact', () => {
    expect(parameterBindings(['n'], { n: { type: 'int', value: Number.MAX_SAFE_INTEGER } })).toEqual({
      n: 9007199254740991n,
    });
  });

  test('an int, when it is no whole number, is refused', () => {
    expect(() => parameterBindings(['n'], { n: { type: 'int', value: 1.5 } })).toThrow('expected a whole number');
  });

  test('a name, when it has no value, is refused', () => {
    expect(() => parameterBindings(['n'], {})).toThrow('parameter n has no value');
  });
});
