import { expect, test } from 'vitest';
import { parsePostgresArray } from '../../../src/engines/sources/postgres-array.ts';

test.each([
  ['{}', []],
  ['{1,2}', ['1', '2']],
  ['{NULL,"NULL",null}', [null, 'NULL', 'null']],
  ['{"a,b","c\\"d","\\\\","",x}', ['a,b', 'c"d', '\\', '', 'x']],
  ['[0:1]={1,2}', ['1', '2']],
  ['{"[0:1]={"}', ['[0:1]={']],
  ['{{1},{2}}', undefined],
])('%s, when it is read, has its elements', (text, elements) => {
  expect(parsePostgresArray(text)).toEqual(elements);
});
