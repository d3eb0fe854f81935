/**
 * Files as DuckDB reads them and as the project's own program for Spark does, in a real Spark in local mode: the same
 * names, types and rows, or a refusal in words, for what else would be other data in silence.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dataset } from '../../src/engines/dataset.ts';
import { measureDataset } from '../../src/engines/duckdb/measure-dataset.ts';
import { extractWork } from '../../src/engines/spark/compute/extract-file.ts';
import { extractFile } from '../../src/engines/sources/file-source.ts';
import type { FileSource } from '../../src/schemas/definition.ts';
import { EngineFixture } from '../support/engine-fixture.ts';
import { preparePythonEnvironment } from '../support/python-environment.ts';
import { QUICK_JAVA } from '../support/quick-java.ts';

const PROGRAMS = fileURLToPath(new URL('../../src/engines/spark/compute', import.meta.url));
const RUNNER = fileURLToPath(new URL('spark-compute/programs.py', import.meta.url));

let fixture: EngineFixture;
let spark: ChildProcess;
let answers: AsyncIterator<string>;
let files = 0;

beforeAll(async () => {
  fixture = await EngineFixture.create();
  const { python } = await preparePythonEnvironment((line) => process.stderr.write(`${line}\n`));
  const env = { ...process.env, ...QUICK_JAVA, PYTHONDONTWRITEBYTECODE: '1', SPARK_LOCAL_IP: '127.0.0.1' };
  spark = spawn(python, [RUNNER, PROGRAMS], { stdio: ['pipe', 'pipe', 'ignore'], env });
  if (spark.stdout === null) throw new TypeError('no pipe');
  answers = createInterface({ input: spark.stdout })[Symbol.asyncIterator]();
}, 900_000);
afterAll(async () => {
  // It ends with its input.
  spark.stdin?.end();
  if (spark.exitCode === null) await once(spark, 'exit');
  await fixture.dispose();
}, 60_000);

async function written(content: string | Buffer, format: 'csv' | 'json', ending: string): Promise<FileSource> {
  files += 1;
  const path = join(fixture.folder, `source-${files}.${ending}`);
  await writeFile(path, content);
  return { type: 'file', path, format };
}

const roots = { roots: 'any', base: '/' } as const;

async function inDuckDb(source: FileSource): Promise<Dataset> {
  return extractFile(fixture.engine, { source, roots, outputFolder: await fixture.outputFolder() }, fixture.context);
}

/** @throws Error with what the program said, or with what it did not foresee */
async function inSpark(source: FileSource): Promise<Dataset> {
  const work = await extractWork(fixture.engine, { source, roots }, fixture.context);
  const folder = await fixture.outputFolder();
  const output = join(folder, 'rows/');
  spark.stdin?.write(`${JSON.stringify({ work, output })}\n`);
  const answer = (await answers.next()) as IteratorYieldResult<string>;
  const { fault, crash } = JSON.parse(answer.value) as { fault?: string | null; crash?: string };
  if (fault != null) throw new Error(fault);
  if (crash !== undefined) throw new Error(`unforeseen: ${crash}`);
  const request = { signal: fixture.context.signal, readable: [output] };
  return fixture.engine.withSession(request, (session) => measureDataset(session, output));
}

async function told(dataset: Dataset) {
  return { types: Object.entries(await fixture.types(dataset)), rows: await fixture.rows(dataset) };
}

const column = (...values: string[]): string => `n,z\n${values.map((value) => `${value},1\n`).join('')}`;

describe('a file that both read', () => {
  test.each([
    ['numbers with a zero or a plus in front', column('007', '+7', '01.5')],
    ['whole numbers', column('0', '7', '-7')],
    ['numbers', column('1.5', '-2', '1e5', '.5')],
    ['whole numbers beyond 64 bits', column('9223372036854775808', '1')],
    ['what is no number', column('1.5', 'nan', 'inf')],
    ['words for yes and no', column('t', 'f')],
    ['others', column('yes', 'no')],
    ['dates', column('2001-01-01', '2001-12-31')],
    ['timestamps', column('2001-01-01 10:00:00', '2001-01-02 00:00:00.25')],
    ['no value', column('', '')],
    ['a quote and a line end', column('"a ""b""\nc"', 'd')],
    ['a line end in its last value', 'a,b\n1,"x\ny"\n'],
    ['names that are there twice', 'a,A,a\n1,2,3\n'],
    ['names that are missing', 'a,,b\n1,2,3\n'],
    ['names with spaces around', ' a , b ,c\n1,2,3\n'],
    ['letters beyond ASCII', 'ÄÖ,x\nß,1\n'],
    ['a mark of the byte order', '\ufeffa,b\n2,b\n'],
  ])('when a CSV has %s, has the same columns and rows', async (_what, content) => {
    const source = await written(content, 'csv', 'csv');
    expect(await told(await inSpark(source))).toEqual(await told(await inDuckDb(source)));
  });

  test.each([
    ['lines', '{"b": 1, "a": "x"}\n{"a": null, "b": 2.5, "c": true}\n'],
    ['an array', '[{"n": 1}, {"n": 2}]'],
    ['dates as text', '{"d": "2001-01-01"}\n{"d": "2001-01-02"}\n'],
  ])('when a JSON has %s, has the same columns and rows', async (_what, content) => {
    const source = await written(content, 'json', 'json');
    expect(await told(await inSpark(source))).toEqual(await told(await inDuckDb(source)));
  });
});

describe('a file that Spark would read as other data', () => {
  const latin1 = Buffer.from('a,b\n1,\xe4\n', 'latin1');

  test.each([
    ['a CSV is not UTF-8', latin1, 'csv', 'csv', /the text is not UTF-8/],
    ['a gzipped CSV is not', gzipSync(latin1), 'csv', 'csv.gz', /the text is not UTF-8/],
    ['whole numbers have over 38 digits', column('1'.repeat(40), '1'), 'csv', 'csv', /column n holds whole numbers/],
    ['a quote ends within a field', 'a,b\n2,"x"y\n3,4\n', 'csv', 'csv', /quote|malformed/i],
    ['a quote is never closed', 'a,b\n1,"x\n2,3\n', 'csv', 'csv', /never closed/],
    ['JSON has names that differ in case', '{"a": 1}\n{"A": 2}\n', 'json', 'json', /\ba\b.*\bA\b|\bA\b.*\ba\b/s],
  ] as const)('when %s, is refused in words', async (_when, content, format, ending, words) => {
    await expect(inSpark(await written(content, format, ending))).rejects.toThrow(words);
  });
});
