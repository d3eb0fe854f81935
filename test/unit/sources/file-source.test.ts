import { readdir, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dataset } from '../../../src/engines/dataset.ts';
import { extractFile, type FileExtraction } from '../../../src/engines/sources/file-source.ts';
import type { FileSource } from '../../../src/schemas/definition.ts';
import { EngineFixture } from '../../support/engine-fixture.ts';

let fixture: EngineFixture;
beforeAll(async () => {
  fixture = await EngineFixture.create();
});
afterAll(() => fixture.dispose());

let files = 0;
/** A file in the fixture's folder; its name. */
async function file(name: string, content: string | Uint8Array): Promise<string> {
  files += 1;
  const unique = `${files}-${name}`;
  await writeFile(join(fixture.folder, unique), content);
  return unique;
}

async function extract(
  path: string,
  format: FileSource['format'] = 'csv',
  options?: FileSource['options'],
  more: Partial<FileExtraction> = {},
): Promise<Dataset> {
  const source: FileSource = { type: 'file', path, format, ...(options === undefined ? {} : { options }) };
  const roots = { roots: [fixture.folder], base: fixture.folder };
  const outputFolder = await fixture.outputFolder();
  return extractFile(fixture.engine, { source, roots, outputFolder, ...more }, fixture.context);
}

const fault = (message: RegExp) => ({ type: 'ValidationError', message: expect.stringMatching(message) as string });

describe('csv', () => {
  test('a file, when it has a header, lands with guessed types and empty fields as NULL', async () => {
    const dataset = await extract(await file('a.csv', 'n,name,day,at\n1,x,2001-01-01,2001-01-01 10:00:00\n,"",,\n'));
    expect(dataset.rows).toBe(2);
    expect(dataset.uri).toMatch(/^file:\/\/\/.*\/$/);
    expect(await fixture.types(dataset)).toEqual({ n: 'BIGINT', name: 'VARCHAR', day: 'DATE', at: 'TIMESTAMP' });
    expect(await fixture.rows(dataset)).toEqual([
      { n: '1', name: 'x', day: '2001-01-01', at: '2001-01-01 10:00:00' },
      { n: null, name: null, day: null, at: null },
    ]);
  });

  test('a file, when a late row does not fit the type of the first ones, lands with a type that fits all', async () => {
    const rows = Array.from({ length: 60_000 }, (_, n) => `${n},x`);
    const dataset = await extract(await file('late.csv', `n,name\n${rows.join('\n')}\nlast,y\n`));
    expect(dataset.rows).toBe(60_001);
    expect(await fixture.types(dataset)).toMatchObject({ n: 'VARCHAR' });
    expect(await fixture.rows(dataset, "SELECT name FROM data WHERE n = 'last'")).toEqual([{ name: 'y' }]);
  });

  test('whole numbers, when they are wider than 64 bits, keep every digit', async () => {
    const wide = await extract(
      await file('wide.csv', 'a,b\n9223372036854775807,1.5\n-99999999999999999999,1e300\n,\n'),
    );
    expect(await fixture.types(wide)).toEqual({ a: 'DECIMAL(38,0)', b: 'DOUBLE' });
    expect(await fixture.rows(wide)).toMatchObject([
      { a: '9223372036854775807' },
      { a: '-99999999999999999999' },
      { a: null },
    ]);
    const late = await extract(await file('late.csv', `a\n${'1\n'.repeat(60_000)}9223372036854775808\n`));
    expect(await fixture.rows(late, 'SELECT max(a)::VARCHAR AS a FROM data')).toEqual([{ a: '9223372036854775808' }]);
    const tooWide = await file('too-wide.csv', `a\n1\n${'9'.repeat(39)}\n`);
    await expect(extract(tooWide)).rejects.toMatchObject(fault(/column a holds whole numbers of more than 38 digits/));
    expect((await extract(tooWide, 'csv', { types: { a: 'DOUBLE' } })).rows).toBe(2);
    const [first, second] = [
      await file('part-wide.csv', 'a\n99999999999999999999\n'),
      await file('part-wide.csv', 'b\n1\n'),
    ];
    expect((await extract(`{${first},${second}}`)).rows).toBe(2);
  });

  test('a file, when it is called .gz and is not, fails in words', async () => {
    const name = await file('plain.csv.gz', 'a,b\n1,x\n');
    await expect(extract(name)).rejects.toMatchObject(fault(/plain\.csv\.gz.*not gzip/));
  });

  test('a file, when its lines end in different ways, fails in words', async () => {
    const name = await file('mixed.csv', 'a,b\r\n1,x\n2,y\r\n');
    await expect(extract(name)).rejects.toMatchObject(fault(/mixed\.csv.*line/));
  });

  test('a ragged file, when a line has a field too many, fails with the name and the line', async () => {
    const name = await file('ragged.csv', 'a,b\n1,x\n2,y,z\n');
    await expect(extract(name)).rejects.toMatchObject(fault(new RegExp(`${name}, line 3: 3 fields .* header has 2`)));
  });

  test('a ragged file, when the line comes late, fails with that line', async () => {
    const rows = Array.from({ length: 60_000 }, (_, n) => `${n},x`);
    const name = await file('ragged.csv', `n,name\n${rows.join('\n')}\nshort\n`);
    await expect(extract(name)).rejects.toMatchObject(fault(new RegExp(`${name}, line 60002: 1 field `)));
  });

  test('a ragged line, when it fails, is not quoted in the message', async () => {
    const name = await file('ragged.csv', 'a,b\n1,x\n2,confidential,z\n');
    await expect(extract(name)).rejects.toMatchObject({ message: expect.not.stringMatching(/confidential/) as string });
  });

  test('short lines, when null_padding is set, are filled with NULL', async () => {
    const dataset = await extract(await file('short.csv', 'a,b\n1,x\n2\n'), 'csv', { null_padding: true });
    expect(await fixture.rows(dataset)).toEqual([
      { a: '1', b: 'x' },
      { a: '2', b: null },
    ]);
  });

  test('an empty file, when it is read, fails and says so', async () => {
    await expect(extract(await file('empty.csv', ''))).rejects.toMatchObject(fault(/empty\.csv is empty/));
    await expect(extract(await file('empty.csv.gz', gzipSync('')))).rejects.toMatchObject(fault(/is empty/));
  });

  test('a file, when it has only a header, is no rows', async () => {
    const dataset = await extract(await file('header.csv', 'a,b\n'));
    expect(dataset.rows).toBe(0);
    expect(Object.keys(await fixture.types(dataset))).toEqual(['a', 'b']);
  });

  test('a file, when it is separated by something else, is read by what its header uses', async () => {
    for (const delimiter of [';', '\t', '|']) {
      const text = ['a', '"b,c"'].join(delimiter) + '\n' + ['1', '2'].join(delimiter) + '\n';
      expect(await fixture.rows(await extract(await file('other.csv', text)))).toEqual([{ a: '1', 'b,c': '2' }]);
    }
  });

  test('a file, when it is compressed, is read by its extension', async () => {
    const dataset = await extract(await file('a.csv.gz', gzipSync('a,b\n1,2\n')));
    expect(await fixture.rows(dataset)).toEqual([{ a: '1', b: '2' }]);
  });

  test('a file, when it is not UTF-8, says which option helps, and the option does', async () => {
    const name = await file('latin.csv', Buffer.from('caf\xe9\n\xe9\n', 'latin1'));
    await expect(extract(name)).rejects.toMatchObject(fault(/latin\.csv, line 1: .* options\.encoding/));
    expect(await fixture.rows(await extract(name, 'csv', { encoding: 'latin-1' }))).toEqual([{ café: 'é' }]);
  });

  test('several files, when a glob names them, are matched by column name and get common types', async () => {
    await file('g-1.csv', 'a,b\n1,x\n');
    await file('g-2.csv', 'b,a\ny,1.5\n');
    const dataset = await extract('*-g-?.csv');
    expect(await fixture.rows(dataset)).toEqual([
      { a: 1, b: 'x' },
      { a: 1.5, b: 'y' },
    ]);
  });

  test('options, when they are given, are taken as values and never as SQL', async () => {
    const name = await file('options.csv', "skipped\nn'x;day;none\n007;31.12.2001;N/A\n");
    const dataset = await extract(name, 'csv', {
      delimiter: ';',
      skip: 1,
      nullstr: ['N/A', "', union_by_name = true"],
      dateformat: '%d.%m.%Y',
      types: { "n'x": 'VARCHAR' },
    });
    expect(await fixture.rows(dataset)).toEqual([{ "n'x": '007', day: '2001-12-31', none: null }]);
  });

  test.each<[FileSource['options'], RegExp]>([
    [{ filename: 'x' }, /options\.filename: csv has no such option; it has delimiter/],
    [{ header: 'yes' }, /options\.header: expected true or false/],
    [{ types: { b: 'INT' } }, /line 2: a value of column b is no INTEGER/],
    [{ types: { c: 'INT' } }, /"c" do not exist/],
    [{ columns: { only: 'INT' } }, /columns cannot be told apart/],
  ])('options, when they are wrong (%j), are told', async (options, message) => {
    await expect(extract(await file('a.csv', 'a,b\n1,x\n'), 'csv', options)).rejects.toMatchObject(fault(message));
  });

  test('a partition, when the source has its column, takes only its rows', async () => {
    const name = await file('days.csv', 'n,day\n1,2001-01-01\n2,2001-01-02\n3,2001-01-03\n4,\n');
    const interval = { column: 'day', startIso: '2001-01-02T00:00:00-05:00', endIso: '2001-01-03T00:00:00-05:00' };
    expect(await fixture.rows(await extract(name, 'csv', undefined, { interval }))).toEqual([
      { n: '2', day: '2001-01-02' },
    ]);
    const other = { ...interval, column: 'other' };
    expect((await extract(name, 'csv', undefined, { interval: other })).rows).toBe(4);
    await expect(extract(name, 'csv', undefined, { interval: { ...interval, column: 'n' } })).rejects.toMatchObject(
      fault(/partitioning\.column: n is BIGINT/),
    );
  });

  test('an extraction, when it is cancelled, ends with the reason', async () => {
    const controller = new AbortController();
    controller.abort(new Error('the step was cancelled'));
    const source: FileSource = { type: 'file', path: await file('a.csv', 'a\n1\n'), format: 'csv' };
    const roots = { roots: 'any' as const, base: fixture.folder };
    const request = { source, roots, outputFolder: await fixture.outputFolder() };
    await expect(extractFile(fixture.engine, request, fixture.contextOf(controller.signal))).rejects.toThrow(
      'the step was cancelled',
    );
  });
});

describe('json', () => {
  test.each([
    ['an array', '[{"a":1,"b":{"c":[1,2]}},{"a":2}]'],
    ['lines', '{"a":1,"b":{"c":[1,2]}}\n{"a":2}\n'],
  ])('a file, when it is %s, keeps what is nested', async (_, content) => {
    const dataset = await extract(await file('a.json', content), 'json');
    expect(await fixture.rows(dataset)).toEqual([
      { a: '1', b: { c: ['1', '2'] } },
      { a: '2', b: null },
    ]);
  });

  test('a field, when it is a number here and a text there, becomes text without quotes', async () => {
    const rows = Array.from({ length: 30_000 }, (_, a) => JSON.stringify({ a }));
    const dataset = await extract(await file('late.json', `${rows.join('\n')}\n{"a":"last"}\n`), 'json');
    expect(await fixture.types(dataset)).toEqual({ a: 'VARCHAR' });
    expect(await fixture.rows(dataset, "SELECT count(*)::INT AS n FROM data WHERE a = 'last'")).toEqual([{ n: 1 }]);
  });

  test('a malformed file, when it is read, fails with the line', async () => {
    const name = await file('bad.json', '{"a":1}\n{"a":\n');
    await expect(extract(name, 'json')).rejects.toMatchObject(fault(new RegExp(`${name}, line [23]: malformed JSON`)));
  });
});

describe('parquet', () => {
  async function parquet(name: string, select: string): Promise<string> {
    files += 1;
    const unique = `${files}-${name}`;
    const path = join(fixture.folder, unique);
    await fixture.engine.withSession({ signal: fixture.context.signal, writable: [path] }, (session) =>
      session.run(`COPY (${select}) TO '${path}' (FORMAT parquet, USE_TMP_FILE false)`),
    );
    return unique;
  }

  test('one local file, when it is read whole, is taken where it lies with its checksum', async () => {
    const name = await parquet('a.parquet', 'SELECT range AS n FROM range(10)');
    const path = join(fixture.folder, name);
    const dataset = await extract(name, 'parquet');
    const { size, mtimeNs } = await stat(path, { bigint: true });
    expect(dataset).toMatchObject({
      uri: pathToFileURL(path).href,
      rows: 10,
      bytes: Number(size),
      reference: { sizeBytes: Number(size), modifiedNs: String(mtimeNs) },
    });
    expect(dataset.reference?.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(await fixture.rows(dataset, 'SELECT count(*)::INT AS n FROM data')).toEqual([{ n: 10 }]);
  });

  test('a file taken by reference, when another one is put in its place, is an error and not other data', async () => {
    const name = await parquet('a.parquet', 'SELECT 1 AS n');
    const dataset = await extract(name, 'parquet');
    await writeFile(join(fixture.folder, name), 'something else altogether');
    await expect(fixture.rows(dataset)).rejects.toMatchObject(fault(/has changed since/));
  });

  test('a file taken by reference, when it was only touched, is still the same data', async () => {
    const name = await parquet('a.parquet', 'SELECT 1 AS n');
    const dataset = await extract(name, 'parquet');
    await utimes(join(fixture.folder, name), new Date(), new Date(0));
    expect(await fixture.rows(dataset)).toEqual([{ n: 1 }]);
  });

  test('a link, when it leads to a file in the root, is taken as that file', async () => {
    const name = await parquet('a.parquet', 'SELECT 1 AS n');
    await symlink(join(fixture.folder, name), join(fixture.folder, 'link.parquet'));
    expect((await extract('link.parquet', 'parquet')).uri).toBe(pathToFileURL(join(fixture.folder, name)).href);
  });

  test('several files, when a glob names them, land together', async () => {
    await parquet('many-1.parquet', 'SELECT 1 AS n');
    await parquet('many-2.parquet', "SELECT 2 AS n, 'x' AS extra");
    const dataset = await extract('*-many-*.parquet', 'parquet');
    expect(dataset.reference).toBeUndefined();
    expect(await fixture.rows(dataset)).toEqual([
      { n: 1, extra: null },
      { n: 2, extra: 'x' },
    ]);
  });

  test('a file of something else, when it is read, is told apart', async () => {
    const name = await file('no.parquet', 'a,b\n1,2\n');
    await expect(extract(name, 'parquet')).rejects.toMatchObject(fault(/no\.parquet: this is no Parquet file/));
    await expect(extract(await file('e.parquet', ''), 'parquet')).rejects.toMatchObject(fault(/is empty \(0 bytes\)/));
  });
});

test('an attempt, when it fails, leaves nothing in its folder', async () => {
  const outputFolder = await fixture.outputFolder();
  const rows = Array.from({ length: 200_000 }, (_, n) => `${n},x`);
  const name = await file('ragged.csv', `n,name\n${rows.join('\n')}\nlast,x,y\n`);
  await expect(extract(name, 'csv', undefined, { outputFolder })).rejects.toMatchObject(fault(/line 200002/));
  expect(await readdir(outputFolder)).toEqual([]);
});

test('a message, when a file cannot be read, holds no path of the service', async () => {
  const name = await file('bad.json', '{');
  await expect(extract(name, 'json')).rejects.toMatchObject({
    message: expect.not.stringContaining(fixture.folder) as string,
  });
});
