/** `file` sinks on S3, on a real S3 gateway whose bucket keeps every version that was ever written. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Dataset } from '../../src/engines/dataset.ts';
import { Scratch } from '../../src/engines/scratch.ts';
import { type FileLoad, writeFileSink } from '../../src/engines/sinks/file-sink.ts';
import type { WrittenFile } from '../../src/engines/sinks/file-target.ts';
import { EngineFixture } from '../support/engine-fixture.ts';
import { KillingProxy, type ProxiedRequest } from '../support/killing-proxy.ts';
import { S3Gateway } from '../support/s3-gateway.ts';

let gateway: S3Gateway;
let fixture: EngineFixture;
let proxy: KillingProxy;
let scratch: Scratch;
let small: Dataset;
/** More than a part of a multipart upload. */
let large: Dataset;

beforeAll(async () => {
  gateway = await S3Gateway.start();
  proxy = await KillingProxy.start(gateway.url, 'exact');
  fixture = await EngineFixture.create();
  scratch = new Scratch(join(fixture.folder, 'scratch'));
  small = await fixture.dataset("SELECT i, 'n' || i AS name FROM range(1, 4) AS t(i)");
  large = await fixture.dataset('SELECT range AS i, md5(range::VARCHAR) AS t FROM range(1000000)');
});
afterAll(async () => {
  await scratch.close();
  await fixture.dispose();
  await proxy[Symbol.asyncDispose]();
  await gateway[Symbol.asyncDispose]();
});

async function write(path: string, more: Partial<FileLoad> = {}, signal?: AbortSignal): Promise<WrittenFile> {
  const objects = gateway.open({ endpoint: proxy.url });
  try {
    const load: FileLoad = {
      ...{ input: small, path, format: 'csv', loadName: 'run-1/out' },
      ...{ roots: { roots: 'any', base: '/' }, s3: { objects, scratch }, ...more },
    };
    return await writeFileSink(fixture.engine, load, fixture.contextOf(signal ?? fixture.context.signal));
  } finally {
    objects.close();
    proxy.hooks = {};
    // No local copy is left, however it ended.
    const [own = ''] = (await readdir(join(fixture.folder, 'scratch'))).filter((name) => !name.includes('.lock'));
    expect(await readdir(join(fixture.folder, 'scratch', own))).toEqual([]);
  }
}

const isPut = ({ method, path }: ProxiedRequest) => method === 'PUT' && !path.includes('partNumber');
const isPart = ({ method, path }: ProxiedRequest) => method === 'PUT' && path.includes('partNumber');
const isComplete = ({ method, path }: ProxiedRequest) => method === 'POST' && path.includes('uploadId=');
const fault = (type: string, message: RegExp) => ({ type, message: expect.stringMatching(message) as string });

async function openUploads(): Promise<number> {
  return (await gateway.client().send(new ListMultipartUploadsCommand({ Bucket: 'lake' }))).Uploads?.length ?? 0;
}

test.each([
  ['out/a.csv', 'csv', 'i,name\n1,n1\n2,n2\n3,n3\n'],
  ['out/a.json', 'json', '{"i":1,"name":"n1"}\n{"i":2,"name":"n2"}\n{"i":3,"name":"n3"}\n'],
  ['out/ä b.csv.gz', 'csv', 'i,name\n1,n1\n2,n2\n3,n3\n'],
] as const)('%s, when it is written as %s, is one whole object', async (key, format, content) => {
  const written = await write(`s3://lake/${key}`, { format });
  const bytes = await gateway.get(key);
  expect(written).toEqual({ rows: 3, bytes: bytes.length, uri: `s3://lake/${key}` });
  expect((key.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()).toBe(content);
});

test('an object of several parts, when it is written, is one version with all rows', async () => {
  const written = await write('s3://lake/out/large.csv', { input: large });
  const text = (await gateway.get('out/large.csv')).toString();
  expect(written).toMatchObject({ rows: 1_000_000, bytes: text.length });
  expect(new Set(text.trimEnd().split('\n')).size).toBe(1_000_001);
  expect(await gateway.versions('out/large.csv')).toBe(1);
  expect(await openUploads()).toBe(0);
});

test('a load, when an earlier attempt has written it, writes nothing; other rows or another load are written', async () => {
  const path = 's3://lake/out/again.csv';
  const first = await write(path);
  expect(await write(path)).toEqual(first);
  expect(await gateway.versions('out/again.csv')).toBe(1);
  await write(path, { input: await fixture.dataset('SELECT 7 AS n') });
  await write(path, { loadName: 'run-2/out' });
  expect(await gateway.versions('out/again.csv')).toBe(3);
});

test.each([
  ['one request', 'small', isPut],
  ['the last request of several', 'large', isComplete],
] as const)('a load by %s, when the answer is lost, is found and not written again', async (_, size, isIt) => {
  const key = `out/lost-${size}.csv`;
  let lost = 0;
  proxy.hooks = { onAnswer: (request) => (isIt(request) && (lost += 1) === 1 ? 'cut' : undefined) };
  const written = await write(`s3://lake/${key}`, { input: size === 'small' ? small : large });
  expect(lost).toBeGreaterThanOrEqual(1);
  expect(written.bytes).toBe((await gateway.get(key)).length);
  expect(await gateway.versions(key)).toBe(1);
});

test('two attempts of one load, when they write at once, make one version', async () => {
  const writing = [1, 2].map(() => writeOnly('s3://lake/out/race.csv'));
  const [one, other] = await Promise.all(writing);
  expect(one).toEqual(other);
  expect(await gateway.versions('out/race.csv')).toBe(1);
});

/** Without a look at what others leave locally meanwhile. */
async function writeOnly(path: string): Promise<WrittenFile> {
  const objects = gateway.open({ endpoint: proxy.url });
  const request = { input: large, path, format: 'csv' as const, loadName: 'run-1/race' };
  const roots = { roots: 'any' as const, base: '/' };
  return writeFileSink(fixture.engine, { ...request, roots, s3: { objects, scratch } }, fixture.context).finally(() => {
    objects.close();
  });
}

test('an attempt that was given up, when it goes on after another load has written, leaves that one alone', async () => {
  const key = 'out/late.csv';
  let writtenMeanwhile = false;
  proxy.hooks = {
    onRequest: async (request) => {
      if (!isPut(request) || writtenMeanwhile) return undefined;
      writtenMeanwhile = true;
      await gateway.put(key, 'by another program');
      return undefined;
    },
  };
  // It is no attempt of ours that came in between, so the load looks again and replaces it, knowingly.
  await write(`s3://lake/${key}`);
  expect(await gateway.versions(key)).toBe(2);
  expect((await gateway.get(key)).toString()).toContain('1,n1');
});

test('an upload, when the step is cancelled in the middle, leaves what was there and no parts', async () => {
  const key = 'out/cancelled.csv';
  await gateway.put(key, 'old');
  const cancelled = new AbortController();
  proxy.hooks = {
    onRequest: (request) => {
      if (isPart(request)) cancelled.abort(new Error('the step was cancelled'));
      return undefined;
    },
  };
  await expect(write(`s3://lake/${key}`, { input: large }, cancelled.signal)).rejects.toThrow('the step was cancelled');
  expect((await gateway.get(key)).toString()).toBe('old');
  expect(await openUploads()).toBe(0);
});

test('a load, when the gateway is away and comes back, fails retryably and then is written', async () => {
  await gateway.stop();
  await expect(write('s3://lake/out/away.csv')).rejects.toMatchObject(fault('UnavailableError', /S3 is away or busy/));
  await gateway.start();
  expect(await write('s3://lake/out/away.csv')).toMatchObject({ rows: 3 });
});

test.each<[string, Partial<FileLoad>, string, RegExp]>([
  ['s3://nobucket/a.csv', {}, 'ValidationError', /no bucket nobucket; make it/],
  ['s3://lake/out/', {}, 'ValidationError', /names a folder/],
  ['s3://lake/a.parquet.gz', { format: 'parquet' }, 'ValidationError', /compressed inside/],
  ['s3://lake/a.csv', { roots: { roots: ['s3://lake/out', '/'], base: '/' } }, 'PermissionDeniedError', /FILE_ROOTS/],
  ['s3://lake/a.csv', { s3: undefined }, 'UnavailableError', /no S3_ENDPOINT/],
])('%s, when it cannot be written, fails in words', async (path, more, type, message) => {
  await expect(write(path, more)).rejects.toMatchObject(fault(type, message));
});
