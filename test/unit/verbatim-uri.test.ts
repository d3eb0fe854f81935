import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { hadoopUri } from '../../src/engines/s3/s3-job-folder.ts';
import { asciiJson } from '../../src/engines/spark/ascii-json.ts';
import { verbatimUri } from '../../src/engines/verbatim-uri.ts';

test.each(['/data/plain/', '/data of day 1/', '/data/a%20b #1?/', '/d\u00e4ta/'])(
  'a folder, when it is %s, is written for Hadoop and Flink as it is called',
  (path) => {
    expect(verbatimUri(pathToFileURL(path).href)).toBe(`file://${path}`);
    expect(hadoopUri(pathToFileURL(path).href)).toBe(`file://${path}`);
  },
);

test('a folder on S3, when its key has odd characters, stays as it is', () => {
  expect(verbatimUri('s3://lake/a b%20\u00e4/')).toBe('s3://lake/a b%20\u00e4/');
  expect(hadoopUri('s3://lake/a b%20\u00e4/')).toBe('s3a://lake/a b%20\u00e4/');
});

test('JSON for an argument, when it has other characters, is ASCII and says the same', () => {
  const value = { folder: 's3a://lake/\u00e4/', arguments: ['Graz \u{1f600}', '"\\'] };
  const text = asciiJson(value);
  expect(text).toMatch(/^[ -~]+$/);
  expect(JSON.parse(text)).toEqual(value);
});
