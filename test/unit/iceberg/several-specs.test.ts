/** Tables whose partitioning changed, and whose columns did, as the loads of every mode leave them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseTableIdentifier } from '../../../src/engines/iceberg/catalog.ts';
import type { TableUpdate } from '../../../src/engines/iceberg/table-changes.ts';
import { Lake, type LoadOptions } from './lake.ts';

let lake: Lake;
beforeAll(async () => {
  lake = await Lake.open();
});
afterAll(() => lake.close());

const field = (source: number, id: number, name: string, transform: string) => ({
  'source-id': source,
  'field-id': id,
  name,
  transform,
});
/** Of columns d (1), k (2), s (3): from coarse to fine, by something else, dropped the way of version 1, and not at all. */
const SPECS = {
  month: [field(1, 1000, 'd_month', 'month')],
  day: [field(1, 1001, 'd_day', 'day')],
  bucket: [field(1, 1000, 'd_month', 'month'), field(2, 1002, 'k_bucket', 'bucket[3]')],
  text: [field(3, 1003, 's_trunc', 'truncate[1]'), field(2, 1004, 'k', 'identity')],
  void: [field(1, 1000, 'd_month', 'void'), field(2, 1004, 'k', 'identity')],
  none: [],
};
type Spec = keyof typeof SPECS;

async function change(table: string, updates: TableUpdate[]): Promise<void> {
  await lake.catalog.commitTable(parseTableIdentifier(table), [], updates);
}

let specs = 0;
async function respec(table: string, spec: Spec): Promise<void> {
  specs += 1;
  await change(table, [
    { action: 'add-spec', spec: { 'spec-id': specs, fields: SPECS[spec] } },
    { action: 'set-default-spec', 'spec-id': -1 },
  ]);
}

/** Days from..to of 2001, two rows each. */
const rows = (from: number, to: number, note: string) =>
  `SELECT DATE '2001-01-01' + (i // 2)::INTEGER AS d, (i % 5)::INTEGER AS k, chr((97 + i % 7)::INTEGER) || i AS s, '${note}' AS note
   FROM range(${from * 2}, ${to * 2}) AS r(i)`;
const LAYERS: [Spec, number, number][] = [
  ['month', 0, 40],
  ['day', 30, 35],
  ['bucket', 25, 45],
  ['text', 20, 24],
];

/** A table with a layer of rows under each of some specs, and now by `last`; the rows as DuckDB knows them. */
async function layered(table: string, last: Spec): Promise<string> {
  await lake.load(table, rows(0, 0, 'none'));
  const all: string[] = [];
  for (const [spec, from, to] of LAYERS) {
    await respec(table, spec);
    await lake.load(table, rows(from, to, spec));
    all.push(rows(from, to, spec));
  }
  await respec(table, last);
  return all.join(' UNION ALL ');
}

const partitionSql: Record<Spec, string> = {
  month: "date_trunc('month', d)",
  day: 'd',
  bucket: "(date_trunc('month', d), k)",
  text: '(left(s, 1), k)',
  void: 'k',
  none: '1',
};

const NEW = 'SELECT * FROM (' + rows(31, 33, 'new') + ') WHERE k <> 3';
const day = { column: 'd', startIso: '2001-01-31T00:00:00+00:00', endIso: '2001-02-03T00:00:00+00:00' };
const MODES: [string, LoadOptions, (spec: Spec) => string, Spec[]][] = [
  ['append', { mode: 'append' }, () => 'false', ['bucket']],
  ['overwrite', { mode: 'overwrite' }, () => 'true', ['text']],
  [
    'merge',
    { mode: 'merge', mergeKeys: ['d', 'k'] },
    () => `(d, k) IN (SELECT (d, k) FROM (${NEW}))`,
    ['bucket', 'void'],
  ],
  [
    'interval',
    { mode: 'append', interval: day },
    () => `d >= '2001-01-31' AND d < '2001-02-03'`,
    ['month', 'day', 'text'],
  ],
  [
    'overwrite_partition',
    { mode: 'overwrite_partition' },
    (spec) => `${partitionSql[spec]} IN (SELECT ${partitionSql[spec]} FROM (${NEW}))`,
    // Which of five keys share one of three buckets is not this test's to reckon.
    ['month', 'day', 'text', 'void', 'none'],
  ],
];

describe.each(MODES)('a load in mode %s', (mode, options, gone, specsNow) => {
  it.each(specsNow)(
    'when the table has several specs, now by %s, replaces what the mode says and writes under that spec',
    async (spec) => {
      const table = `s.${mode}_${spec}`;
      const before = await layered(table, spec);
      await lake.load(table, NEW, options);
      const expected = await lake.rows(
        `SELECT d::VARCHAR AS d, k, s, note FROM (SELECT * FROM (${before}) WHERE NOT coalesce(${gone(spec)}, false) UNION ALL ${NEW}) ORDER BY ALL`,
      );
      const select = 'SELECT d::VARCHAR AS d, k, s, note FROM live ORDER BY ALL';
      expect(await lake.query(table, select)).toEqual(expected);
      // Each manifest is of one spec, and its files are read back by it: a second load of the same finds them.
      if (mode !== 'append') {
        await lake.load(table, NEW, options);
        expect(await lake.query(table, select)).toEqual(expected);
      }
      const { 'default-spec-id': now } = await lake.metadata(table);
      const files = await lake.files(table);
      const added = files.filter(({ specId }) => specId === now);
      expect(added.length).toBeGreaterThan(0);
      expect(added.every(({ partition }) => partition.length === SPECS[spec].length)).toBe(true);
    },
  );
});

it('a table, when columns were renamed, widened and dropped, one of a spec among them, goes by field ids', async () => {
  const table = 's.altered';
  await lake.load(table, rows(0, 0, 'none'));
  await respec(table, 'text');
  await lake.load(table, rows(0, 10, 'old'));
  await respec(table, 'month');
  const { schemas, 'last-column-id': last } = await lake.metadata(table);
  const renamed = { 1: { name: 'day' }, 2: { name: 'key', type: 'long' } } as Record<number, object>;
  const fields = (schemas.at(-1)?.fields ?? []).filter(({ id }) => id !== 3);
  const schema = {
    type: 'struct' as const,
    'schema-id': 7,
    // A new column that has the name of the one that is gone.
    fields: [
      ...fields.map((old) => ({ ...old, ...renamed[old.id] })),
      { id: last + 1, name: 's', required: false, type: 'string' },
    ],
  };
  await change(table, [
    { action: 'add-schema', schema, 'last-column-id': last + 1 },
    { action: 'set-current-schema', 'schema-id': -1 },
  ]);
  const interval = {
    ...day,
    column: 'day',
    startIso: '2001-01-03T00:00:00+00:00',
    endIso: '2001-01-05T00:00:00+00:00',
  };
  const fresh = (key: string) => `SELECT DATE '2001-01-03' AS day, ${key} AS key, 'x' AS s, 'new' AS note`;
  await lake.load(table, fresh('5000000000'), { interval });
  await lake.load(table, fresh('3'), { mode: 'merge', mergeKeys: ['key'] });
  const live = (await lake.files(table)).map(({ path }) => path.replace('file://', ''));
  const read = await lake.rows(
    `SELECT day::VARCHAR AS day, key, s, note FROM read_parquet(${JSON.stringify(live).replaceAll('"', "'")}, schema = MAP {
      1: {name: 'day', type: 'DATE', default_value: NULL}, 2: {name: 'key', type: 'BIGINT', default_value: NULL},
      ${last + 1}: {name: 's', type: 'VARCHAR', default_value: NULL}, 4: {name: 'note', type: 'VARCHAR', default_value: NULL}}) ORDER BY ALL`,
  );
  const expected = await lake.rows(
    `SELECT d::VARCHAR AS day, k::BIGINT AS key, NULL::VARCHAR AS s, note FROM (${rows(0, 10, 'old')})
     WHERE d NOT IN ('2001-01-03', '2001-01-04') AND k <> 3
     UNION ALL SELECT day::VARCHAR, key, s, note FROM (${fresh('5000000000::BIGINT')} UNION ALL ${fresh('3')}) ORDER BY ALL`,
  );
  expect(read).toEqual(expected);
});
