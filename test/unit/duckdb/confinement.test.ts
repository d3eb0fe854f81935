import { copyFile, mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dataset } from '../../../src/engines/dataset.ts';
import { DuckDbEngine, type DuckDbSession } from '../../../src/engines/duckdb/duckdb-engine.ts';
import { runSql } from '../../../src/engines/duckdb/run-sql.ts';
import { EngineFixture } from '../../support/engine-fixture.ts';

/** The known ways out of a DuckDB that was shut in. */
let fixture: EngineFixture;
let numbers: Dataset;
let inputFile: string;
/** A file of another run. */
let foreignFile: string;

beforeAll(async () => {
  fixture = await EngineFixture.create();
  numbers = await fixture.dataset('SELECT range AS x FROM range(10)');
  inputFile = `${fileURLToPath(numbers.uri)}part-0.parquet`;
  foreignFile = `${fileURLToPath((await fixture.dataset('SELECT 42 AS secret')).uri)}part-0.parquet`;
});

afterAll(async () => {
  await fixture.dispose();
});

async function run(sql: string, inputs: Record<string, Dataset> = { numbers }): Promise<Dataset> {
  const outputFolder = await fixture.outputFolder();
  const parameters = { p: { type: 'int' as const, value: 1 } };
  return runSql(fixture.engine, { sql, parameters, inputs, outputFolder }, fixture.context);
}

function inSession<T>(use: (session: DuckDbSession) => Promise<T>): Promise<T> {
  return fixture.engine.withSession({ signal: fixture.context.signal, inputs: { numbers } }, use);
}

describe('runSql, when the SQL tries to get out, refuses it', () => {
  test.each([
    ['a second statement', () => "SELECT 1; SELECT * FROM read_text('/etc/passwd')"],
    ['a second statement behind a closing parenthesis', () => "SELECT 1) TO '/tmp/x.csv'; --"],
    ['COPY over an input', () => `COPY (SELECT 1 AS x) TO '${inputFile}' (FORMAT parquet, USE_TMP_FILE false)`],
    ['ATTACH', () => `ATTACH '${fixture.folder}/new.db'`],
    ['INSTALL', () => 'INSTALL httpfs'],
    ['LOAD', () => 'LOAD httpfs'],
    ['SET', () => 'SET enable_external_access = true'],
    // Inside, this would end the whole process: DuckDB throws while it closes.
    ['the log as a file', () => "CALL enable_logging(storage = 'file', storage_config = {'path': '/tmp/x'})"],
    ['SET VARIABLE', () => 'SET VARIABLE a = 1'],
    ['a parameter in a view', () => 'CREATE VIEW v AS SELECT ${p}'],
    ['a system file', () => "SELECT * FROM read_text('/etc/passwd')"],
    ['a system file as a table', () => `SELECT * FROM '/etc/passwd'`],
    ["another run's file", () => `SELECT * FROM read_parquet('${foreignFile}')`],
    ["another run's file as a table", () => `SELECT * FROM '${foreignFile}'`],
    ['its own input by its path', () => `SELECT * FROM '${inputFile}'`],
    ['a relative path', () => `SELECT * FROM 'package.json'`],
    ['a list of files', () => "SELECT * FROM glob('/**')"],
    ['the network', () => "SELECT * FROM 'https://example.com/x.parquet'"],
    ['the environment', () => "SELECT getenv('HOME')"],
    ['variables', () => "SELECT getvariable('a')"],
    ['settings', () => "SELECT current_setting('temp_directory')"],
    ['settings as a view', () => 'SELECT * FROM duckdb_settings()'],
    ['the paths of the views', () => 'SELECT sql FROM duckdb_views'],
    [
      'the paths of the views, hidden behind WITH',
      () =>
        'WITH RECURSIVE duckdb_views AS (FROM duckdb_views UNION ALL FROM duckdb_views WHERE false) SELECT sql FROM duckdb_views',
    ],
    ['the statement around it', () => 'SELECT current_query()'],
    ['SQL in JSON', () => "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))"],
    ['SQL in text', () => `SELECT * FROM query('SELECT * FROM "${foreignFile}"')`],
  ])('%s', async (_, sql) => {
    const before = await readFile(inputFile);
    await expect(run(sql())).rejects.toMatchObject({ type: 'ValidationError' });
    expect(await readFile(inputFile)).toEqual(before);
  });
});

describe('a session, when SQL got into it unseen, holds it in', () => {
  test.each([
    ['a system file', () => "SELECT * FROM read_text('/etc/passwd')"],
    ["another run's file", () => `SELECT * FROM '${foreignFile}'`],
    [
      "another run's file by way of its own",
      () => `SELECT * FROM read_parquet('${inputFile}/../../${foreignFile.split('/').slice(-2).join('/')}')`,
    ],
    ['a relative path', () => "SELECT * FROM read_text('package.json')"],
    ['a list of files', () => "SELECT * FROM glob('/etc/*')"],
    ['ATTACH elsewhere', () => `ATTACH '${fixture.folder}/new.db'`],
    ['COPY elsewhere', () => `COPY (SELECT 1) TO '${fixture.folder}/new.csv'`],
    ['EXPORT', () => `EXPORT DATABASE '${fixture.folder}/exported'`],
    ['INSTALL', () => 'INSTALL httpfs'],
    ['LOAD', () => "LOAD '/tmp/x.duckdb_extension'"],
    ['the network', () => "SELECT * FROM read_text('https://example.com')"],
    ['a setting', () => 'SET enable_external_access = true'],
    ['a setting of where to spill', () => `SET temp_directory = '${fixture.folder}'`],
    ['a setting of what is allowed', () => "SET allowed_directories = ['/']"],
    ['a setting reset', () => 'RESET lock_configuration'],
    ['a stored secret', () => "CREATE PERSISTENT SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')"],
    ['a profile as a file', () => `PRAGMA profiling_output = '${fixture.folder}/profile.json'`],
  ])('%s', async (_, sql) => {
    const filesBefore = await readdir(fixture.folder);
    await expect(inSession((session) => session.rows(sql()))).rejects.toMatchObject({ name: 'EngineError' });
    expect(await readdir(fixture.folder)).toEqual(filesBefore);
  });

  test("another session's spill", async () => {
    const options = { memoryLimitBytes: 64 * 1024 * 1024, threads: 2, spillFolder: `${fixture.folder}/spill` };
    const neighbour = new DuckDbEngine(options);
    await neighbour.withSession({ signal: fixture.context.signal }, async (other) => {
      await other.run('CREATE TABLE big AS SELECT hash(range) AS h, hash(range + 1) AS i FROM range(5000000)');
      const spilled = await spilledFiles();
      expect(spilled).not.toEqual([]);
      for (const file of spilled) {
        for (const sql of [
          `SELECT * FROM read_text('${file}')`,
          `SELECT * FROM read_blob('${file}')`,
          `SELECT * FROM glob('${file}*')`,
          `COPY (SELECT 1 AS x) TO '${file}' (FORMAT parquet, USE_TMP_FILE false)`,
        ]) {
          await expect(inSession((session) => session.run(sql))).rejects.toMatchObject({
            type: 'PermissionDeniedError',
          });
        }
      }
    });
    await neighbour.close();
  });

  test('one session leaves nothing to the next', async () => {
    await inSession((session) => session.run('CREATE TABLE left_behind AS SELECT 1 AS x'));
    await expect(inSession((session) => session.rows('FROM left_behind'))).rejects.toThrow('does not exist');
  });
});

describe('an input folder, when something in it leads elsewhere', () => {
  test('a link to another file is refused', async () => {
    const folder = await fixture.outputFolder();
    await symlink(foreignFile, `${folder}part-0.parquet`);
    const outcome = run('SELECT * FROM linked', { linked: { uri: `file://${folder}`, rows: 1, bytes: 1 } });
    await expect(outcome).rejects.toThrow('part-0.parquet is not a regular file');
  });

  test('a folder with the name of a file is refused', async () => {
    const folder = await fixture.outputFolder();
    await mkdir(`${folder}part-0.parquet`);
    const outcome = run('SELECT * FROM odd', { odd: { uri: `file://${folder}`, rows: 1, bytes: 1 } });
    await expect(outcome).rejects.toThrow('part-0.parquet is not a regular file');
  });

  test('names with quotes and wildcards name themselves', async () => {
    const folder = `${await fixture.outputFolder()}it's [a] *?/`;
    await mkdir(folder);
    await copyFile(inputFile, `${folder}part'0.parquet`);
    await writeFile(`${folder}_SUCCESS`, '');
    const uri = new URL(`file://${encodeURI(folder).replaceAll('?', '%3F')}`).href;
    expect((await run('SELECT * FROM odd', { odd: { uri, rows: 10, bytes: 1 } })).rows).toBe(10);
  });
});

/** What all sessions of the fixture have on disk now. */
async function spilledFiles(): Promise<string[]> {
  const entries = await readdir(`${fixture.folder}/spill`, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.lock'))
    .map((entry) => `${entry.parentPath}/${entry.name}`);
}
