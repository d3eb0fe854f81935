import { describe, expect, test } from 'vitest';
import { parseDocument } from '../../../src/schemas/parse-document.ts';
import { Random } from './random.ts';

const faultsOf = (text: string, format: 'yaml' | 'json') => {
  const parsed = parseDocument(text, format);
  return 'faults' in parsed ? parsed.faults.map(({ path, message }) => `${path}: ${message}`) : [];
};
const valueOf = (text: string, format: 'yaml' | 'json') => {
  const parsed = parseDocument(text, format);
  return 'faults' in parsed ? parsed.faults : parsed.value;
};

describe('a YAML document', () => {
  test('when it is sound, is read by the core schema of YAML 1.2', () => {
    const text = 'on: yes\nday: 2001-01-01\nn: 0x10\nnothing: ~\n1: one\nlist: &l [1, "2"]\nagain: *l\nold: 010\n';

    expect(valueOf(text, 'yaml')).toEqual({
      on: 'yes',
      day: '2001-01-01',
      n: 16,
      nothing: null,
      '1': 'one',
      list: [1, '2'],
      again: [1, '2'],
      old: 10,
    });
  });

  test.each([
    ['a key twice', 'a: 1\nb:\n  - c: 1\n    c: 2', /^b\.0\.c: line 4, column 5: the key stands here twice/],
    ['a list that nothing closes', 'a: [1', /line 1, column 6/],
    ['a tab for indentation', 'a:\n\tb: 1', /line 2, column 1: Tabs/],
    ['a tag of its own', 'a: !foo 1', /line 1, column 4: Unresolved tag: !foo/],
    ['a tag of JavaScript', 'a: !!js/function "x"', /Unresolved tag/],
    ['a set', '!!set {a, b}', /Unresolved tag/],
    ['two documents', 'a: 1\n---\nb: 2', /expected one document, got several/],
    ['a version of its own', '%YAML 1.1\n---\na: yes', /expected YAML 1\.2/],
    ['a key that is no text', '? [a]\n: 1', /keys must be strings/],
    ['an alias of nothing', 'a: *b', /Unresolved alias/],
    ['an alias as key', 'a: &b c\n*b : 1', /expected a key as text|keys must be strings/],
    ['a list that contains itself', 'a: &b [*b]', /levels, one within another/],
    ['__proto__', 'a: {__proto__: {b: 1}}', /^a\.__proto__: .*not allowed/],
    ['not a number', 'a: .nan', /^a: expected a finite number/],
    ['a number too large', 'a: 12345678901234567890', /^a: expected a number within/],
    ['21 levels', `a: ${'['.repeat(20)}${']'.repeat(20)}`, /at most 20 levels/],
    [
      '21 levels by indentation',
      Array.from({ length: 22 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
      /at most 20 levels/,
    ],
    ['101 aliases', `a: &a 1\nb: [${'*a, '.repeat(101)}]`, /at most 100 aliases/],
    ['more than 1 MiB', `a: "${'x'.repeat(1024 * 1024)}"`, /at most 1 MiB, got 1048\d+ bytes/],
  ])('when it has %s, is refused with the place', (_what, text, message) => {
    expect(faultsOf(text, 'yaml').join('\n')).toMatch(message);
  });

  test('when it has 20 levels and 100 aliases, is taken', () => {
    const text = `a: ${'['.repeat(19)}${']'.repeat(19)}\nb: &b 1\nc: [${'*b, '.repeat(100)}]`;

    expect(faultsOf(text, 'yaml')).toEqual([]);
  });

  test('when its aliases multiply, is refused before they use up memory', () => {
    const levels = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i}, `.repeat(9)}]`);
    const bomb = ['l0: &l0 [lol, lol]', ...levels].join('\n');
    const startedAt = performance.now();

    expect(faultsOf(bomb, 'yaml').join()).toMatch(/at most 1 MiB/);
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });

  test('when its aliases make it larger than 1 MiB, is refused', () => {
    const text = `a: &a "${'x'.repeat(20_000)}"\nb: [${'*a, '.repeat(90)}]`;

    expect(faultsOf(text, 'yaml').join()).toMatch(/at most 1 MiB, everything written out/);
  });

  test.each([
    ['brackets', '['.repeat(1_000_000)],
    ['braces', '}{'.repeat(500_000)],
    ['quotes', '"'.repeat(1_000_000)],
    ['anchors', '&a '.repeat(300_000)],
    ['dashes', '- '.repeat(500_000)],
    ['colons', ': '.repeat(500_000)],
    ['keys', Array.from({ length: 90_000 }, (_, i) => `k${i}: `).join('\n')],
    ['directives', '%FOO\n'.repeat(200_000)],
    ['question marks', '? '.repeat(500_000)],
  ])('when it is 1 MiB of %s, is answered soon and without an exception', (_what, text) => {
    const startedAt = performance.now();

    parseDocument(text, 'yaml');

    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });
});

describe('a JSON document', () => {
  test('when it is sound, is what JSON.parse makes of it', () => {
    const text = '{"a": [1, -2.5e3, "x\\u0041\\"{[,:", true, null], "b": {"a": {}}, "": {"": []}}';

    expect(valueOf(text, 'json')).toEqual(JSON.parse(text));
  });

  test.each([
    ['a key twice', '{"a": [{"b": 1,\n "b": 2}]}', /^a\.0\.b: line 2, column 2: the key stands here twice/],
    ['a key twice, once in escapes', '{"ab": 1, "\\u0061b": 2}', /^ab: line 1, column 11/],
    ['a key twice after a nested object', '{"a": {"b": [{}]}, "c": "a", "a": 1}', /^a: line 1, column 30/],
    ['a comma too many', '{"a": 1,}', /expected JSON: .*line 1 column 9/],
    ['a comment', '{"a": 1} // x', /expected JSON/],
    ['no end', '{"a": ', /expected JSON/],
    ['nothing in it', '', /expected JSON/],
    ['YAML in it', 'a: 1', /expected JSON/],
    ['__proto__', '{"a": {"__proto__": {"b": 1}}}', /^a\.__proto__: .*not allowed/],
    ['half of a surrogate pair', '{"a": "\\ud800"}', /^a: expected well-formed Unicode/],
    ['a NUL', '{"a": "b\\u0000"}', /^a: expected text without NUL/],
    ['a NUL in a key', '{"a\\u0000": 1}', /expected text without NUL/],
    ['a number beyond all bounds', '{"a": 1e999}', /^a: expected a finite number/],
    ['21 levels', `${'['.repeat(21)}${']'.repeat(21)}`, /at most 20 levels/],
    ['500,000 levels', `${'['.repeat(500_000)}${']'.repeat(500_000)}`, /at most 20 levels/],
  ])('when it has %s, is refused', (_what, text, message) => {
    expect(faultsOf(text, 'json').join('\n')).toMatch(message);
  });

  test('when one key stands in several objects, is taken', () => {
    expect(faultsOf('[{"a": {"a": 1}}, {"a": [{"a": 2}, {"a": 3}]}]', 'json')).toEqual([]);
  });
});

test('a document, when it is garbage, has faults and never throws', () => {
  for (let seed = 0; seed < 1500; seed += 1) {
    const random = new Random(seed);
    const text = random.text(80);
    for (const format of ['yaml', 'json'] as const) {
      const parsed = parseDocument(text, format);
      expect('value' in parsed || parsed.faults.length > 0).toBe(true);
    }
  }
});

test('a document, when it is written as JSON, is the same read as YAML', () => {
  for (let seed = 0; seed < 500; seed += 1) {
    const value = new Random(seed).value();
    const text = JSON.stringify(value);
    const asJson = parseDocument(text, 'json');

    // Whatever one of them refuses for its value, the other does too; `1e300` and NUL are among it.
    if ('value' in asJson) expect(parseDocument(text, 'yaml'), text).toEqual(asJson);
    else expect(parseDocument(text, 'yaml'), text).toHaveProperty('faults');
  }
});
