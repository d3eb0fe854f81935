import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FileLoad, writeFileSink } from '../../../src/engines/sinks/file-sink.ts';
import type { WrittenFile } from '../../../src/engines/sinks/file-target.ts';
import { extractFile } from '../../../src/engines/sources/file-source.ts';
import { EngineFixture } from '../../support/engine-fixture.ts';

let fixture: EngineFixture;
let load: Omit<FileLoad, 'path' | 'format'>;
const SELECT = `SELECT i, CASE WHEN i = 2 THEN NULL ELSE 'n,' || i END AS name, {'a': [i]} AS nested FROM range(1, 4) AS t(i)`;

beforeAll(async () => {
  fixture = await EngineFixture.create();
  await mkdir(join(fixture.folder, 'out'));
  const roots = { roots: [join(fixture.folder, 'out')], base: join(fixture.folder, 'out') };
  load = { input: await fixture.dataset(SELECT), roots, loadName: 'run-1/out' };
});
afterAll(() => fixture.dispose());

const write = (path: string, format: FileLoad['format'], more: Partial<FileLoad> = {}): Promise<WrittenFile> =>
  writeFileSink(fixture.engine, { ...load, path, format, ...more }, fixture.context);
const at = (path: string): string => join(fixture.folder, 'out', path);

test('csv, when it is written, has a header, and empty fields for NULL', async () => {
  const written = await write('a.csv', 'csv');
  const text = await readFile(at('a.csv'), 'utf8');
  expect(text).toBe(`i,name,nested\n1,"n,1",{'a': [1]}\n2,,{'a': [2]}\n3,"n,3",{'a': [3]}\n`);
  expect(written).toEqual({ rows: 3, bytes: Buffer.byteLength(text), uri: pathToFileURL(at('a.csv')).href });
});

test('json, when it is written, is one object a line', async () => {
  await write('a.json', 'json');
  const lines = (await readFile(at('a.json'), 'utf8')).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    { i: 1, name: 'n,1', nested: { a: [1] } },
    { i: 2, name: null, nested: { a: [2] } },
    { i: 3, name: 'n,3', nested: { a: [3] } },
  ]);
});

test('a file, when its name ends with .gz, is compressed', async () => {
  const written = await write('a.csv.gz', 'csv');
  const bytes = await readFile(at('a.csv.gz'));
  expect(bytes).toHaveLength(written.bytes);
  expect(gunzipSync(bytes).toString()).toContain('1,"n,1"');
  await expect(write('a.parquet.gz', 'parquet')).rejects.toMatchObject({ type: 'ValidationError' });
});

test('parquet, when it is read again, is what was written', async () => {
  await write('new/folder/a.parquet', 'parquet');
  const source = { type: 'file' as const, path: 'new/folder/a.parquet', format: 'parquet' as const };
  const request = { source, roots: load.roots, outputFolder: await fixture.outputFolder() };
  const read = await extractFile(fixture.engine, request, fixture.context);
  expect(await fixture.rows(read)).toEqual(await fixture.rows(load.input));
});

test('a load, when it is done again, replaces its file and leaves nothing beside it', async () => {
  await mkdir(at('again'));
  await write('again/a.csv', 'csv');
  const other = await fixture.dataset('SELECT 7 AS n');
  await write('again/a.csv', 'csv', { input: other, loadName: 'run-2/out' });
  expect(await readFile(at('again/a.csv'), 'utf8')).toBe('n\n7\n');
  expect(await readdir(at('again'))).toEqual(['a.csv']);
});

test('a load, when it fails or is cancelled, leaves the old file and nothing beside it', async () => {
  await mkdir(at('kept'));
  await writeFile(at('kept/a.csv'), 'old');
  const gone = await fixture.dataset('SELECT 1 AS n');
  await rm(new URL(gone.uri), { recursive: true });
  await expect(write('kept/a.csv', 'csv', { input: gone })).rejects.toMatchObject({ type: 'ValidationError' });
  const cancelled = fixture.contextOf(AbortSignal.abort(new Error('cancelled')));
  await expect(
    writeFileSink(fixture.engine, { ...load, path: 'kept/a.csv', format: 'csv' }, cancelled),
  ).rejects.toThrow('cancelled');
  expect(await readFile(at('kept/a.csv'), 'utf8')).toBe('old');
  expect(await readdir(at('kept'))).toEqual(['a.csv']);
});

test('a load, when an attempt of it was killed, removes what that left, and nothing of another load', async () => {
  await mkdir(at('killed'));
  const large = await fixture.dataset('SELECT range AS i, range::VARCHAR AS t FROM range(1500000)');
  const writing = write('killed/a.csv', 'csv', { input: large });
  const temporaries = async () => (await readdir(at('killed'))).filter((name) => name.endsWith('.tmp'));
  let seen: string[] = [];
  while ((seen = await temporaries()).length === 0) await sleep(2);
  await writing;
  expect(await temporaries()).toEqual([]);
  // What SIGKILL leaves: the same name with another attempt's id, and one of another load.
  const [, name = '', loadId = '', attemptId = ''] = /^\.(.*)\.(.*)\.(.*)\.tmp$/.exec(seen[0] ?? '') ?? [];
  expect(name).toBe('a.csv');
  const ofAnother = `.${name}.${loadId.replaceAll(/./g, '0')}.${attemptId}.tmp`;
  await writeFile(at(`killed/.${name}.${loadId}.killed.tmp`), 'half');
  await writeFile(at(`killed/${ofAnother}`), 'half');
  await write('killed/a.csv', 'csv');
  expect((await readdir(at('killed'))).sort()).toEqual([ofAnother, 'a.csv'].sort());
});

test.each(['../a.csv', '/tmp/pipeline-service-outside.csv', 'link/a.csv'])(
  'a path, when it leads out of the roots (%s), is denied and nothing is made',
  async (path) => {
    await symlink(fixture.folder, at('link')).catch(() => undefined);
    await expect(write(path, 'csv')).rejects.toMatchObject({ type: 'PermissionDeniedError' });
    expect(await readdir(fixture.folder)).not.toContain('a.csv');
  },
);

test('a path, when a part of it is a file, is refused in words', async () => {
  await writeFile(at('plain'), '');
  await expect(write('plain/a.csv', 'csv')).rejects.toMatchObject({
    type: 'ValidationError',
    message: expect.stringMatching(/plain\/a\.csv cannot be a file/) as string,
  });
});
