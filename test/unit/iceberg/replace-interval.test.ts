import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { intervalTimes } from '../../../src/schemas/partition-parameters.ts';
import { Lake } from './lake.ts';

let lake: Lake;
beforeAll(async () => {
  lake = await Lake.open();
});
afterAll(() => lake.close());

const day = (date: string, next: string, column = 'd') => ({
  interval: { column, startIso: `${date}T00:00:00+00:00`, endIso: `${next}T00:00:00+00:00` },
});
const rowsOf = (table: string) => lake.query(table, 'SELECT d::VARCHAR AS d, v FROM live ORDER BY ALL');
const month = "SELECT DATE '2001-01-01' + n::INTEGER AS d, 'old' AS v FROM range(31) AS t(n)";
/** All of January, with these days' rows instead of the old ones. */
const january = (changed: Record<string, string[]>) =>
  Array.from({ length: 31 }, (_, n) => `2001-01-${String(n + 1).padStart(2, '0')}`).flatMap((d) =>
    (changed[d] ?? ['old']).map((v) => ({ d, v })),
  );

describe.each([
  ['not partitioned', []],
  ['partitioned by month', ['month(d)']],
  ['partitioned by day', ['day(d)']],
  ['partitioned by something else', ['truncate(1, v)']],
])('an interval of a table that is %s', (_, partitionBy) => {
  const table = `i.t${partitionBy.join('').replaceAll(/\W/g, '')}`;

  it.each(['append', 'overwrite', 'overwrite_partition'] as const)(
    'when it is loaded in mode %s, is all that changes, in one snapshot',
    async (mode) => {
      const name = `${table}_${mode}`;
      await lake.load(name, month, { partitionBy });
      const before = (await lake.metadata(name)).snapshots?.length ?? 0;
      const options = { mode, partitionBy, ...day('2001-01-10', '2001-01-11') };
      await lake.load(name, "SELECT DATE '2001-01-10' AS d, unnest(['a', 'b']) AS v", options);
      const changed = { '2001-01-10': ['a', 'b'] };
      expect(await rowsOf(name)).toEqual(january(changed));

      await lake.load(name, "SELECT DATE '2001-01-10' AS d, unnest(['a', 'b']) AS v", options);
      expect(await rowsOf(name)).toEqual(january(changed));
      expect((await lake.metadata(name)).snapshots).toHaveLength(before + 2);
    },
  );

  it('when it has no rows any more, loses those that it had', async () => {
    const name = `${table}_none`;
    await lake.load(name, month, { partitionBy });
    const nothing = "SELECT DATE '2001-01-10' AS d, 'x' AS v WHERE false";
    await lake.load(name, nothing, { partitionBy, ...day('2001-01-10', '2001-01-11') });
    expect(await rowsOf(name)).toEqual(january({ '2001-01-10': [] }));
  });
});

it('a date, when clocks jump over its midnight, is of the interval of its own day', async () => {
  const [one, other] = [Date.UTC(2017, 9, 14, 3), Date.UTC(2017, 9, 15, 3)];
  const timezone = 'America/Sao_Paulo';
  const [before, own] = [
    intervalTimes({ startMs: one, endMs: other }, timezone),
    intervalTimes({ startMs: other, endMs: Date.UTC(2017, 9, 16, 2) }, timezone),
  ];
  const rows = (v: string, date: string) => `SELECT DATE '${date}' AS d, '${v}' AS v`;
  await lake.load('i.gap', `${rows('old', '2017-10-14')} UNION ALL ${rows('old', '2017-10-15')}`);
  await lake.load('i.gap', rows('new', '2017-10-14'), { interval: { column: 'd', ...before } });
  expect(await rowsOf('i.gap')).toEqual([
    { d: '2017-10-14', v: 'new' },
    { d: '2017-10-15', v: 'old' },
  ]);
  await lake.load('i.gap', rows('newer', '2017-10-15'), { interval: { column: 'd', ...own } });
  expect(await rowsOf('i.gap')).toEqual([
    { d: '2017-10-14', v: 'new' },
    { d: '2017-10-15', v: 'newer' },
  ]);
});

it('a file, when all its rows are of the interval, is dropped unread; others stay as they are', async () => {
  await lake.load('i.files', month, { partitionBy: ['day(d)'] });
  const before = (await lake.files('i.files')).map(({ path }) => path);
  await lake.load('i.files', "SELECT DATE '2001-01-10' AS d, 'new' AS v", {
    partitionBy: ['day(d)'],
    ...day('2001-01-10', '2001-01-11'),
  });
  const after = new Set((await lake.files('i.files')).map(({ path }) => path));
  expect(before.filter((path) => !after.has(path))).toHaveLength(1);
  expect(after.size).toBe(31);
  expect((await lake.metadata('i.files')).snapshots?.at(-1)?.summary).toMatchObject({
    operation: 'overwrite',
    'deleted-data-files': '1',
    'added-data-files': '1',
    'deleted-records': '1',
    'added-records': '1',
  });
});

it('rows without a value in the column, when an interval is replaced beside them, stay', async () => {
  await lake.load('i.nulls', "SELECT unnest([DATE '2001-01-01', NULL]) AS d, 'old' AS v");
  await lake.load('i.nulls', "SELECT DATE '2001-01-01' AS d, 'new' AS v", day('2001-01-01', '2001-01-02'));
  expect(await rowsOf('i.nulls')).toEqual([
    { d: '2001-01-01', v: 'new' },
    { d: null, v: 'old' },
  ]);
});

it('an interval of a zone, when the column has a zone or shows its clocks, is what that clock shows', async () => {
  const interval = { column: 'd', startIso: '2001-03-25T00:00:00+01:00', endIso: '2001-03-26T00:00:00+02:00' };
  const hours = (type: string) =>
    `SELECT CAST(TIMESTAMP '2001-03-24 20:00:00' + INTERVAL (n) HOUR AS ${type}) AS d, 'old' AS v FROM range(32) AS t(n)`;
  await lake.rows("SET TimeZone = 'UTC'");
  for (const [type, first, last] of [
    ['TIMESTAMP', '2001-03-24 23:00:00', '2001-03-26 00:00:00'],
    ['TIMESTAMPTZ', '2001-03-24 22:00:00', '2001-03-25 22:00:00'],
  ] as const) {
    const table = `i.zone_${type.toLowerCase()}`;
    await lake.load(table, hours(type));
    await lake.load(table, `SELECT CAST(NULL AS ${type}) AS d, 'new' AS v WHERE false`, { interval });
    const left = await lake.query(
      table,
      "SELECT max(d) FILTER (d::TIMESTAMP < '2001-03-25 12:00')::TIMESTAMP::VARCHAR AS l, min(d) FILTER (d::TIMESTAMP > '2001-03-25 12:00')::TIMESTAMP::VARCHAR AS r FROM live",
    );
    expect(left).toEqual([{ l: first, r: last }]);
  }
});

it.each([
  ['a row is outside of it', "SELECT DATE '2001-01-11' AS d, 'x' AS v", /1 rows have a d that is not in the interval/],
  ['a row has no value', "SELECT CAST(NULL AS DATE) AS d, 'x' AS v", /1 rows have a d that is not in the interval/],
  ['the rows do not have its column', "SELECT 'x' AS v", /no column d/],
  ['its column is a number', "SELECT 1 AS d, 'x' AS v", /d is INTEGER, which has no place in an interval/],
])('an interval, when %s, is refused and nothing is loaded', async (_, sql, message) => {
  const loading = lake.load('i.refused', sql, day('2001-01-10', '2001-01-11'));
  await expect(loading).rejects.toThrow(message);
  await expect(loading).rejects.toMatchObject({ type: 'ValidationError' });
  expect(await lake.hasTable('i.refused')).toBe(false);
});

it('many intervals of one file, when they are loaded at once, all end as they should', async () => {
  await lake.load('i.race', month);
  const days = [3, 7, 11, 15, 19];
  const iso = (n: number) => `2001-01-${String(n).padStart(2, '0')}`;
  await Promise.all(
    days.map((n) => lake.load('i.race', `SELECT DATE '${iso(n)}' AS d, 'new' AS v`, day(iso(n), iso(n + 1)))),
  );
  expect(await rowsOf('i.race')).toEqual(january(Object.fromEntries(days.map((n) => [iso(n), ['new']]))));
});
