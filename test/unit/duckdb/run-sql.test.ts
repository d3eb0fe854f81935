import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dataset } from '../../../src/engines/dataset.ts';
import { runSql } from '../../../src/engines/duckdb/run-sql.ts';
import type { ParameterValue } from '../../../src/schemas/parameters.ts';
import { EngineFixture } from '../../support/engine-fixture.ts';

let fixture: EngineFixture;
let numbers: Dataset;

beforeAll(async () => {
  fixture = await EngineFixture.create();
  numbers = await fixture.dataset("SELECT range AS x, 'r' || range AS s FROM range(10)");
});

afterAll(async () => {
  await fixture.dispose();
});

async function run(
  sql: string,
  parameters: Record<string, ParameterValue> = {},
  inputs: Record<string, Dataset> = { numbers },
): Promise<Dataset> {
  return runSql(
    fixture.engine,
    { sql, parameters, inputs, outputFolder: await fixture.outputFolder() },
    fixture.context,
  );
}

describe('runSql, when the SELECT is good', () => {
  test('its rows are written in their order and measured', async () => {
    const dataset = await run('SELECT s, x FROM Numbers WHERE x < 3 ORDER BY x DESC;');
    expect(await fixture.rows(dataset)).toEqual([
      { s: 'r2', x: '2' },
      { s: 'r1', x: '1' },
      { s: 'r0', x: '0' },
    ]);
    const folder = fileURLToPath(dataset.uri);
    const [file] = await readdir(folder);
    expect(dataset).toEqual({
      uri: expect.stringMatching(/^file:.*\/$/) as string,
      rows: 3,
      bytes: (await stat(folder + (file ?? ''))).size,
    });
  });

  test('a million rows keep their order', async () => {
    const dataset = await run('SELECT range AS x, hash(range) AS h FROM range(1000000) ORDER BY h');
    const unordered = 'SELECT count(*)::INT AS n FROM (SELECT h, lag(h) OVER () AS before FROM data) WHERE before > h';
    expect(await fixture.rows(dataset, unordered)).toEqual([{ n: 0 }]);
  });

  test('an answer without rows still has its columns', async () => {
    const dataset = await run('SELECT x, s FROM numbers WHERE false');
    expect(dataset.rows).toBe(0);
    expect(await fixture.types(dataset)).toEqual({ x: 'BIGINT', s: 'VARCHAR' });
  });

  test('a comment at its end does no harm', async () => {
    expect((await run("SELECT ';' AS a, x FROM numbers ; -- done")).rows).toBe(10);
  });

  test('a sum of whole numbers stays whole', async () => {
    const dataset = await run('SELECT sum(x) AS total, sum(x) / 2 AS half FROM numbers ORDER BY 1');
    expect(await fixture.types(dataset)).toEqual({ total: 'BIGINT', half: 'DOUBLE' });
    expect(await fixture.rows(dataset)).toEqual([{ total: '45', half: 22.5 }]);
  });

  test('a folder named like a partition adds no column', async () => {
    const outputFolder = `${fixture.folder}/month=7/`;
    await mkdir(outputFolder);
    const request = { sql: 'SELECT 1 AS one', parameters: {}, inputs: {}, outputFolder };
    const dataset = await runSql(fixture.engine, request, fixture.context);
    expect(await fixture.rows(dataset)).toEqual([{ one: 1 }]);
  });
});

describe('runSql, when it has parameters', () => {
  const parameters: Record<string, ParameterValue> = {
    n: { type: 'int', value: 9007199254740991 },
    share: { type: 'float', value: 0.5 },
    flag: { type: 'boolean', value: true },
    day: { type: 'date', value: '2001-02-03' },
    at: { type: 'timestamp', value: '2001-02-03T04:05:06+02:00' },
    text: { type: 'string', value: 'a' },
  };

  test('each has its type', async () => {
    const dataset = await run(
      'SELECT ${n} AS n, ${share} AS share, ${flag} AS flag, ${day} AS day, ${at} AS at, ${text} AS text',
      parameters,
    );
    expect(await fixture.types(dataset)).toEqual({
      n: 'BIGINT',
      share: 'DOUBLE',
      flag: 'BOOLEAN',
      day: 'DATE',
      at: 'TIMESTAMP WITH TIME ZONE',
      text: 'VARCHAR',
    });
    const [row] = await fixture.rows(dataset);
    expect(row).toMatchObject({ n: '9007199254740991', share: 0.5, flag: true, day: '2001-02-03', text: 'a' });
    expect(row?.['at']).toMatch(/^2001-02-03 02:05:06\+00/);
  });

  test('they may limit, filter and repeat', async () => {
    const dataset = await run('SELECT x FROM numbers WHERE x >= ${low} AND x > ${low} - 1 LIMIT ${low}', {
      low: { type: 'int', value: 4 },
    });
    expect((await fixture.rows(dataset)).map((row) => row['x'])).toEqual(['4', '5', '6', '7']);
  });

  test.each(["' OR 1=1 --", "'; DROP TABLE numbers; --", "r1' UNION SELECT 1, 'x", '${n}', '$text', '*/ OR true /*'])(
    'a value such as %s is only ever a value',
    async (value) => {
      const dataset = await run(
        'SELECT ${text} AS said, (SELECT count(*) FROM numbers WHERE s = ${text})::INT AS found',
        {
          text: { type: 'string', value },
        },
      );
      expect(await fixture.rows(dataset)).toEqual([{ said: value, found: 0 }]);
    },
  );

  test('a date that is none is refused', async () => {
    await expect(run('SELECT ${day} AS day', { day: { type: 'date', value: '2001-02-30' } })).rejects.toMatchObject({
      type: 'ValidationError',
    });
  });
});

describe('runSql, when the SQL is wrong, says where', () => {
  test.each([
    ['SELECT\nx,\nnope FROM numbers', /"nope" not found[^]*LINE 3/],
    ['SELECT\nFROM FROM', /^line 2: syntax error/],
    ['SELECT * FROM others', /^there is no input named others; the inputs here are: numbers$/],
    ['SELECT * FROM duckdb_views', /^there is no input named duckdb_views/],
    ["SELECT\nCAST('a' || s AS INTEGER) AS i FROM numbers", /Could not convert string 'ar\d'/],
    ['SELECT x, s AS X FROM numbers', /^two columns are named X/],
    ['SELECT [sum(x)] AS l FROM numbers', /^column l has type HUGEINT\[\], which Parquet cannot hold/],
    ['SELECT union_value(a := 1) AS u', /^column u has type UNION/],
    ['SELECT 9223372036854775807::HUGEINT + 1 AS h', /out of range/],
    ["SELECT '${x}' AS a", /inside a literal/],
    ['SELECT $x AS a', /placeholders/],
    ['SELECT filename FROM numbers', /"filename" not found/],
  ])('%s', async (sql, message) => {
    const outcome = run(sql, { x: { type: 'int', value: 1 } });
    await expect(outcome).rejects.toMatchObject({ type: 'ValidationError' });
    await expect(outcome).rejects.toThrow(message);
    // Nothing of the machine is told.
    await expect(outcome).rejects.not.toThrow(fixture.folder);
  });
});

test('runSql, when an input is not Parquet, names the file and not its folder', async () => {
  const folder = await fixture.outputFolder();
  await writeFile(`${folder}part-0.parquet`, 'not Parquet at all');
  const outcome = run('SELECT * FROM broken', {}, { broken: { uri: `file://${folder}`, rows: 1, bytes: 18 } });
  await expect(outcome).rejects.toThrow('part-0.parquet');
  await expect(outcome).rejects.not.toThrow(fixture.folder);
  await expect(outcome).rejects.toMatchObject({ type: 'ValidationError' });
});
