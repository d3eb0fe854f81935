import { expect, test } from 'vitest';
import { readParameters } from '../../../src/cli/parameter-options.ts';
import { UsageError } from '../../../src/cli/usage-error.ts';

const declared = {
  count: { type: 'int' },
  share: { type: 'float' },
  code: { type: 'string' },
  dry: { type: 'boolean' },
  since: { type: 'date' },
  late: 15,
  title: 'x',
  loud: false,
};

test.each([
  ['count=42', { count: 42 }],
  ['share=-1.5e3', { share: -1500 }],
  ['code=007', { code: '007' }],
  ['code=true', { code: 'true' }],
  ['dry=false', { dry: false }],
  ['since=2001-03-01', { since: '2001-03-01' }],
  ['late=20', { late: 20 }],
  ['title=20', { title: '20' }],
  ['loud=true', { loud: true }],
  ['code=a=b', { code: 'a=b' }],
  ['code=', { code: '' }],
  ['code=two\nlines', { code: 'two\nlines' }],
])('a parameter, when it is given as %s, has the type that was declared', (option, expected) => {
  expect(readParameters([option], declared)).toEqual(expected);
});

test.each([
  ['count=many', { count: 'many' }],
  ['count=', { count: '' }],
  ['dry=yes', { dry: 'yes' }],
  ['unknown=5', { unknown: '5' }],
])('a parameter, when %s does not fit its declaration, stays text for the service to refuse', (option, expected) => {
  expect(readParameters([option], declared)).toEqual(expected);
});

test.each(['count', '=5', ''])('a parameter, when it is written %j, is a matter of usage', (option) => {
  expect(() => readParameters([option], declared)).toThrow(UsageError);
});
