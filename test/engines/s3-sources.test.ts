/** `file` sources on S3, on a real S3 gateway. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dataset } from '../../src/engines/dataset.ts';
import type { S3Objects } from '../../src/engines/s3/s3-objects.ts';
import { Scratch } from '../../src/engines/scratch.ts';
import { extractFile } from '../../src/engines/sources/file-source.ts';
import type { FileSource } from '../../src/schemas/definition.ts';
import { EngineFixture } from '../support/engine-fixture.ts';
import { S3Gateway, SECRET_ACCESS_KEY } from '../support/s3-gateway.ts';

let gateway: S3Gateway;
let fixture: EngineFixture;
let s3: S3Objects;
let scratch: Scratch;
/** The folders of attempts. */
const outputs: string[] = [];

beforeAll(async () => {
  gateway = await S3Gateway.start();
  fixture = await EngineFixture.create();
  s3 = gateway.open();
  scratch = new Scratch(join(fixture.folder, 'scratch'));
});
afterAll(async () => {
  s3.close();
  await fixture.dispose();
  await gateway[Symbol.asyncDispose]();
});

interface Extraction {
  format?: FileSource['format'];
  options?: FileSource['options'];
  roots?: readonly string[] | 'any';
  through?: S3Objects;
  signal?: AbortSignal;
}

async function extract(path: string, extraction: Extraction = {}): Promise<Dataset> {
  const { format = 'csv', options, roots = 'any', through = s3, signal = fixture.context.signal } = extraction;
  const source: FileSource = { type: 'file', path, format, ...(options === undefined ? {} : { options }) };
  const outputFolder = await fixture.outputFolder();
  outputs.push(outputFolder);
  const request = { source, roots: { roots, base: fixture.folder }, s3: { objects: through, scratch }, outputFolder };
  return extractFile(fixture.engine, request, fixture.contextOf(signal));
}

async function parquet(select: string): Promise<Buffer> {
  const { uri } = await fixture.dataset(select);
  return readFile(`${fileURLToPath(uri)}part-0.parquet`);
}

const fault = (type: string, message: RegExp) => ({ type, message: expect.stringMatching(message) as string });

/** What is left of an attempt that failed. */
async function leftOver(): Promise<string[]> {
  return readdir(outputs.at(-1) ?? '');
}

describe('one object', () => {
  test('a CSV object, when it is read, lands as Parquet and its copy is removed', async () => {
    const dataset = await extract(await gateway.put('one/a.csv', 'n,name\n1,x\n2,\n'));
    expect(dataset).toMatchObject({ rows: 2, uri: expect.stringMatching(/^file:\/\/\/.*\/$/) as string });
    expect(await fixture.rows(dataset)).toEqual([
      { n: '1', name: 'x' },
      { n: '2', name: null },
    ]);
    expect(await leftOver()).toEqual(['part-0.parquet']);
  });

  test.each([
    ['csv', 'one/b.csv.gz', gzipSync('n\n7\n')],
    ['json', 'one/b.json', '[{"n":7}]'],
    ['json', 'one/b.jsonl.gz', gzipSync('{"n":7}\n')],
  ] as const)('a %s object, when it is called %s, is read', async (format, key, content) => {
    expect(await fixture.rows(await extract(await gateway.put(key, content), { format }))).toEqual([{ n: '7' }]);
  });

  test('a Parquet object, when it is read whole, is copied as it is', async () => {
    const content = await parquet('SELECT range AS n FROM range(1000)');
    const dataset = await extract(await gateway.put('one/c.parquet', content), { format: 'parquet' });
    expect(dataset).toMatchObject({ rows: 1000, bytes: content.length });
    expect(dataset.reference).toBeUndefined();
    expect(await fixture.rows(dataset, 'SELECT sum(n)::INT AS sum FROM data')).toEqual([{ sum: 499_500 }]);
  });

  test('an object of many megabytes, when it is read, arrives whole', async () => {
    const text = `n,text\n${Array.from({ length: 400_000 }, (_, n) => `${n},${'x'.repeat(60)}`).join('\n')}\n`;
    const dataset = await extract(await gateway.put('one/large.csv', text));
    expect(await fixture.rows(dataset, 'SELECT count(DISTINCT n)::INT AS n FROM data')).toEqual([{ n: 400_000 }]);
  });

  test('an object, when its key has odd characters, is read', async () => {
    const uri = await gateway.put('one/a b+ü%20 #?.csv', 'n\n7\n');
    // Of a glob's characters there is a `?`: what is called so literally comes first.
    expect(await fixture.rows(await extract(uri))).toEqual([{ n: '7' }]);
  });
});

describe('globs', () => {
  beforeAll(async () => {
    await gateway.put('days/day=2001-01-01/part.csv', 'n\n1\n');
    await gateway.put('days/day=2001-01-02/part.csv', 'n\n2\n');
    await gateway.put('days/day=2001-01-02/notes.txt', 'nothing');
    await gateway.put('days.csv', 'n\n3\n');
  });

  test('a glob, when it crosses folders, reads what matches, in order', async () => {
    const dataset = await extract('s3://lake/days/*/*.csv');
    expect(await fixture.rows(dataset)).toEqual([{ n: '1' }, { n: '2' }]);
    expect((await extract('s3://lake/day{s,}*.csv')).rows).toBe(1);
    expect((await extract('s3://lake/days/**/part.csv')).rows).toBe(2);
  });

  test('folders named column=value, when hive_partitioning is set, are columns', async () => {
    const dataset = await extract('s3://lake/days/*/*.csv', { options: { hive_partitioning: true } });
    expect(await fixture.rows(dataset)).toEqual([
      { n: '1', day: '2001-01-01' },
      { n: '2', day: '2001-01-02' },
    ]);
  });

  test('a ragged line, when one of several objects with one name has it, is told with the object and the line', async () => {
    await gateway.put('ragged/a/part.csv', 'a,b\n1,2\n');
    await gateway.put('ragged/b/part.csv', 'a,b\n1,2\n3\n');
    await expect(extract('s3://lake/ragged/*/part.csv')).rejects.toMatchObject(
      fault('ValidationError', /^s3:\/\/lake\/ragged\/b\/part\.csv, line 3: /),
    );
    expect(await leftOver()).toEqual([]);
  });
});

describe('refusals', () => {
  test.each([
    ['s3://lake/none.csv', 'ValidationError', /there is no such object/],
    ['s3://lake/none/*.csv', 'ValidationError', /no object matches/],
    ['s3://nobucket/a.csv', 'ValidationError', /no bucket nobucket; make it/],
    ['s3://nobucket/*.csv', 'ValidationError', /no bucket nobucket; make it/],
    ['s3://lake/days', 'ValidationError', /names no object but a folder; .*s3:\/\/lake\/days\/.*\*\.csv/],
    ['s3://lake/days/../days.csv', 'ValidationError', /no \. or \.\. in keys/],
    ['s3://a_/x', 'ValidationError', /expected s3:\/\/bucket\/key/],
  ])('%s, when it is read, fails with %s', async (path, type, message) => {
    await expect(extract(path)).rejects.toMatchObject(fault(type, message));
    expect(await leftOver()).toEqual([]);
  });

  test.each([
    ['s3://lake/days/day=2001-01-01/part.csv', ['s3://lake/days'], true],
    ['s3://lake/days/*/part.csv', ['s3://lake/days/'], true],
    ['s3://lake/days.csv', ['/data', 's3://lake'], true],
    ['s3://lake/days.csv', ['s3://lake/days'], false],
    ['s3://lake/days*/*/part.csv', ['s3://lake/days'], false],
    ['s3://lake/none-there.csv', ['s3://lake/days'], false],
    ['s3://lake/days.csv', ['s3://lak'], false],
    ['s3://lake/days.csv', ['/'], false],
    ['s3://lake/days.csv', [], false],
  ])('%s, when FILE_ROOTS is %j, is allowed: %s', async (path, roots, allowed) => {
    const extracted = extract(path, { roots });
    if (allowed) await expect(extracted).resolves.toMatchObject({ uri: expect.anything() as string });
    else await expect(extracted).rejects.toMatchObject(fault('PermissionDeniedError', /FILE_ROOTS/));
  });

  test.each([
    ['the key is wrong', { secretAccessKey: 'not-the-right-one' }],
    ['nobody knows the key id', { accessKeyId: 'NOBODYKNOWSIT' }],
  ])('credentials, when %s, are refused at once and shown nowhere', async (_, changed) => {
    const through = gateway.open(changed);
    const error: unknown = await extract('s3://lake/days/*/*.csv', { through }).catch((thrown: unknown) => thrown);
    through.close();
    expect(error).toMatchObject(fault('PermissionDeniedError', /credentials .*lake/));
    const told = JSON.stringify([error, (error as Error).stack, (error as Error).cause, fixture.logged]);
    for (const secret of [SECRET_ACCESS_KEY, 'not-the-right-one', 'NOBODYKNOWSIT']) expect(told).not.toContain(secret);
  });

  test('a gateway, when it is away and comes back, is a retryable error and then no error', async () => {
    await gateway.stop();
    await expect(extract('s3://lake/days.csv')).rejects.toMatchObject(fault('UnavailableError', /S3 is away or busy/));
    await gateway.start();
    expect((await extract('s3://lake/days.csv')).rows).toBe(1);
  });

  test('a transfer, when the step is cancelled, ends with the reason and leaves nothing', async () => {
    const cancelled = new AbortController();
    const reading = extract('s3://lake/one/large.csv', { signal: cancelled.signal });
    setTimeout(() => {
      cancelled.abort(new Error('the step was cancelled'));
    }, 20);
    await expect(reading).rejects.toThrow('the step was cancelled');
    expect(await leftOver()).toEqual([]);
  });
});
