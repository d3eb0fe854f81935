import { describe, expect, test } from 'vitest';
import { parseSelect } from '../../../src/engines/duckdb/parse-select.ts';

describe('parseSelect, when it is one SELECT, tells the tables that it reads', () => {
  test.each([
    ['select 1', []],
    ['values (1), (2);', []],
    ['from t', ['t']],
    ['select * from t a join T b on a.x = b.x', ['t']],
    ['select * from "My-Table", range(3), unnest([1]) u', ['my-table']],
    [
      'select (select max(x) from u where u.y = t.y) from t where x in (from v) order by (select 1 from w)',
      ['t', 'u', 'v', 'w'],
    ],
    ['select 1 from (values ((select 2 from t))) v(x) union all from u limit (select 1 from v)', ['t', 'u', 'v']],
    ['select * from t, lateral (select t.x, u.y from u)', ['t', 'u']],
    ["pivot t on s in ('a') using count(*)", ['t']],
    ['select x from t qualify row_number() over (order by (select 1 from u)) = 1', ['t', 'u']],
    ['with a as (select * from t), b as (select * from a) select * from a, b', ['t']],
    ['with recursive r as (select 1 as x union all select x + 1 from r, t where x < 3) from r', ['t']],
  ])('%s', async (sql, tables) => {
    const parsed = await parseSelect(sql);
    expect('tables' in parsed && parsed.tables.map((table) => table.toLowerCase()).sort()).toEqual(tables);
  });
});

describe('parseSelect, when WITH gives a table its own name, still tells the table', () => {
  test.each([
    ['with t as (select * from t) select * from t', ['t']],
    ['with a as (select * from t), t as (select 1) select * from a', ['t']],
    ['select * from (with duckdb_views as (select 1) select 1), duckdb_views', ['duckdb_views']],
    // What a recursion starts from is the table, as DuckDB reads it.
    [
      'with recursive duckdb_views as (from duckdb_views union all from duckdb_views where false) select 1',
      ['duckdb_views'],
    ],
  ])('%s', async (sql, tables) => {
    expect(await parseSelect(sql)).toEqual({ tables });
  });
});

describe('parseSelect, when it is anything else, says why', () => {
  test.each([
    ['', 'expected one SELECT'],
    ['-- nothing', 'expected one SELECT'],
    ['select 1; select 2', 'found 2 statements'],
    ["select 1; copy (select 1) to '/tmp/x'", 'expected one SELECT'],
    ["copy t to '/tmp/x'", 'expected one SELECT'],
    ["attach '/tmp/x.db'", 'expected one SELECT'],
    ['install httpfs', 'expected one SELECT'],
    ['load httpfs', 'expected one SELECT'],
    ['set threads = 1', 'expected one SELECT'],
    ['reset threads', 'expected one SELECT'],
    ['pragma database_list', 'expected one SELECT'],
    ['call pragma_version()', 'expected one SELECT'],
    ['create table x as select 1', 'expected one SELECT'],
    ['insert into t values (1)', 'expected one SELECT'],
    ['delete from t', 'expected one SELECT'],
    ['explain analyze select 1', 'expected one SELECT'],
    ['prepare p as select 1', 'expected one SELECT'],
    ['begin', 'expected one SELECT'],
    ["export database '/tmp/x'", 'expected one SELECT'],
    ['describe t', 'DESCRIBE, SHOW and SUMMARIZE'],
    ['show tables', 'DESCRIBE, SHOW and SUMMARIZE'],
    ['select * from (summarize t)', 'DESCRIBE, SHOW and SUMMARIZE'],
    ['select 1 from t, (describe t) d', 'DESCRIBE, SHOW and SUMMARIZE'],
    ['pivot t on s using count(*)', 'a PIVOT must name its values'],
    ['select\n1 +\nfrom from', 'line 3: syntax error at or near "from"'],
    ["select 'open", 'unterminated'],
    ["from 't.parquet'", 'files cannot be read'],
    ['from "/etc/passwd"', 'files cannot be read'],
    ["from 'https://example.com/x.csv'", 'files cannot be read'],
    ['from main.t', 'without schema or catalog'],
    ['from memory.main.t', 'without schema or catalog'],
    ['from information_schema.tables', 'without schema or catalog'],
  ])('%s', async (sql, fault) => {
    expect(await parseSelect(sql)).toEqual({ fault: expect.stringContaining(fault) as string });
  });
});

describe('parseSelect, when a function reaches beyond its arguments, refuses it', () => {
  test.each([
    "read_text('/etc/passwd')",
    "READ_CSV('x.csv')",
    "read_blob('x')",
    "read_parquet('x.parquet')",
    "parquet_scan('x.parquet')",
    "parquet_metadata('x.parquet')",
    "read_json_auto('x')",
    "read_duckdb('x')",
    "sniff_csv('x')",
    "glob('*')",
    'duckdb_settings()',
    'duckdb_views()',
    'duckdb_temporary_files()',
    'pragma_database_size()',
    "query('select 1')",
    "query_table('t')",
    "json_execute_serialized_sql('{}')",
    'histogram_values(t, x)',
    "which_secret('s3://x', 's3')",
    "system.main.read_text('/etc/passwd')",
    'enable_logging()',
  ])('in FROM: %s', async (call) => {
    expect(await parseSelect(`select * from ${call}`)).toEqual({
      fault: expect.stringContaining('not available') as string,
    });
    expect(await parseSelect(`select 1 where exists (with a as (from ${call}) from a)`)).toHaveProperty('fault');
  });

  test.each([
    "getenv('HOME')",
    "current_setting('temp_directory')",
    "getvariable('a')",
    'current_query()',
    'sleep_ms(1)',
  ])('as a value: %s', async (call) => {
    expect(await parseSelect(`select ${call}`)).toEqual({ fault: expect.stringContaining('not available') as string });
    expect(await parseSelect(`select list_transform([1], lambda x: ${call}) from t`)).toHaveProperty('fault');
    expect(await parseSelect(`select x from t order by ${call}`)).toHaveProperty('fault');
  });
});

describe('parseSelect, when the SQL is made to hurt, answers soon', () => {
  const times = 20_000;
  test.each([
    ['nested parentheses', `select ${'('.repeat(times)}1${')'.repeat(times)}`],
    ['nested comments', `${'/*'.repeat(times)}${'*/'.repeat(times)} select 1`],
    ['a long sum', `select ${Array(times).fill('1').join('+')}`],
    ['too many characters', `select ${'1,'.repeat(100_000)}1`],
  ])('%s', async (_, sql) => {
    const startedMs = performance.now();
    expect(await parseSelect(sql)).toHaveProperty('fault');
    expect(performance.now() - startedMs).toBeLessThan(10_000);
  });
});

test('A SELECT, when a number in it is beyond a double, is a fault and not a defect', async () => {
  expect(await parseSelect('select 1e400 as y')).toEqual({ fault: 'a number in it is larger than a double can be' });
});
