import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Dataset } from '../../../src/engines/dataset.ts';
import type { QualityReport } from '../../../src/engines/quality/quality-report.ts';
import { runChecks } from '../../../src/engines/quality/run-checks.ts';
import { qualityChecks } from '../../../src/schemas/definition.ts';
import type { ParameterValue } from '../../../src/schemas/parameters.ts';
import { EngineFixture } from '../../support/engine-fixture.ts';

let fixture: EngineFixture;
let inputs: Record<string, Dataset>;

beforeAll(async () => {
  fixture = await EngineFixture.create();
  const rows = `
    (1, 'a', 10, 1.5, DATE '2001-01-01', TIMESTAMP '2001-01-01 10:00:00', true, [1, 2]),
    (2, 'b', -5, 0.1, DATE '2001-01-02', TIMESTAMP '2001-01-02 10:00:00', false, [3]),
    (2, 'c', 99, 9.9, DATE '2001-01-03', TIMESTAMP '2001-01-03 10:00:00', true, []),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`;
  inputs = {
    orders: await fixture.dataset(`SELECT * FROM (VALUES ${rows}) AS t(id, code, delay, price, day, "at", ok, tags)`),
    codes: await fixture.dataset("SELECT * FROM (VALUES ('a'), ('b'), ('b'), (NULL)) AS t(code)"),
    none: await fixture.dataset('SELECT 1 AS id, now() AS "at" WHERE false'),
    fresh: await fixture.dataset(`SELECT now() - INTERVAL '1 hour' AS "at", current_date AS day`),
  };
});
afterAll(() => fixture.dispose());

/** Checks as a document has them, defaults included. */
async function run(
  checks: Record<string, unknown>[],
  minScore = 1,
  parameters: Record<string, ParameterValue> = {},
): Promise<QualityReport> {
  const parsed = qualityChecks.parse({ checks });
  return runChecks(fixture.engine, { checks: parsed.checks, minScore, inputs, parameters }, fixture.context);
}
async function one(check: Record<string, unknown>): Promise<QualityReport['checks'][number] | undefined> {
  return (await run([{ source: 'orders', ...check }])).checks[0];
}

describe('a check', () => {
  test('not_null, when some columns have NULLs, counts the rows and tells the columns apart', async () => {
    expect(await one({ type: 'not_null', columns: ['id', 'code', 'delay'], severity: 'CRITICAL' })).toEqual({
      index: 0,
      type: 'not_null',
      source: 'orders',
      columns: ['id', 'code', 'delay'],
      severity: 'CRITICAL',
      weight: 1,
      outcome: 'FAILED',
      observed: { nulls: { id: 0, code: 1, delay: 1 } },
      expected: { nulls: 0 },
      failingRows: 1,
      examples: [{ id: 3, code: null, delay: null, price: null, day: null, at: null, ok: null, tags: null }],
      message: '1 row without a value in id or code or delay',
    });
    expect(await one({ type: 'not_null', columns: ['id'] })).toMatchObject({
      outcome: 'PASSED',
      observed: { nulls: { id: 0 } },
      examples: [],
    });
  });

  test('range, when values lie outside, shows what there is and the rows', async () => {
    expect(await one({ type: 'range', column: 'delay', min: 0, max: 50 })).toMatchObject({
      outcome: 'FAILED',
      observed: { min: -5, max: 99 },
      expected: { min: 0, max: 50 },
      failingRows: 2,
      examples: [
        { id: 2, delay: -5, day: '2001-01-02', at: '2001-01-02 10:00:00', price: '0.1', tags: [3] },
        { id: 2, delay: 99 },
      ],
    });
  });

  test.each([
    [{ column: 'delay', min: -5, max: 99 }, 0],
    [{ column: 'delay', min: -4.5 }, 1],
    [{ column: 'delay', max: '12345678901234567890123' }, 0],
    [{ column: 'price', max: 9.9 }, 0],
    [{ column: 'price', max: 9.8 }, 1],
    [{ column: 'day', min: '2001-01-02' }, 1],
    [{ column: 'at', max: '2001-01-02T10:00:00Z' }, 1],
    [{ column: 'code', min: 'b', max: 'b' }, 2],
    [{ column: 'DELAY', min: 0 }, 1],
  ])('range, when the bounds are %j, counts what lies outside of them', async (range, failingRows) => {
    expect(await one({ type: 'range', ...range })).toMatchObject({ failingRows });
  });

  test('range, when a FLOAT equals its bound, lies inside', async () => {
    const floats = await fixture.dataset('SELECT 0.1::FLOAT AS x');
    const { checks } = qualityChecks.parse({ checks: [{ source: 'f', type: 'range', column: 'x', max: 0.1 }] });
    const request = { checks, minScore: 1, inputs: { f: floats }, parameters: {} };
    expect((await runChecks(fixture.engine, request, fixture.context)).score).toBe(1);
  });

  test('row_count, when there are too few or too many, fails without examples', async () => {
    expect(await one({ type: 'row_count', min: 5 })).toMatchObject({
      outcome: 'FAILED',
      observed: { rows: 4 },
      failingRows: 0,
      examples: [],
      message: '4 rows; expected 5 to ∞',
    });
    expect(await one({ type: 'row_count', max: 3 })).toMatchObject({ outcome: 'FAILED' });
    expect(await one({ type: 'row_count', min: 4, max: 4 })).toMatchObject({ outcome: 'PASSED' });
    expect(await one({ type: 'row_count', source: 'none', min: 1 })).toMatchObject({ observed: { rows: 0 } });
  });

  test('unique, when keys repeat, counts every row that shares one; NULLs repeat nothing', async () => {
    expect(await one({ type: 'unique', columns: ['id'] })).toMatchObject({
      outcome: 'FAILED',
      observed: { duplicateKeys: 1 },
      failingRows: 2,
      examples: [{ id: 2 }, { id: 2 }],
    });
    expect(await one({ type: 'unique', columns: ['id', 'code'] })).toMatchObject({ outcome: 'PASSED' });
    expect(await one({ type: 'unique', source: 'codes', columns: ['code'] })).toMatchObject({ failingRows: 2 });
  });

  test('regex, when it matches a part, passes; anchors make it match the whole', async () => {
    expect(await one({ type: 'regex', column: 'code', pattern: '[ab]' })).toMatchObject({ failingRows: 1 });
    expect(await one({ type: 'regex', column: 'code', pattern: '^.$' })).toMatchObject({ outcome: 'PASSED' });
    expect(await one({ type: 'regex', column: 'code', pattern: "'" })).toMatchObject({ failingRows: 3 });
  });

  test.each(['^a|b$', '^A$', '(?i)^A$', '^(?i)A$', '^(?m)a$', '^a.b$', '^(?s)a.b$', '^a\\Q$', '^$'])(
    'regex, when it is %s, fails the rows that DuckDB does not find it in',
    async (pattern) => {
      const texts = await fixture.dataset(`SELECT unnest(['a', e'a\\nb', e'a\\nx', 'xb', 'ab', '', NULL]) AS text`);
      const sql = `SELECT count_if(NOT regexp_matches(text, '${pattern}'))::INTEGER AS failing FROM data`;
      const [expected] = await fixture.rows(texts, sql);
      const { checks } = qualityChecks.parse({ checks: [{ source: 'texts', type: 'regex', column: 'text', pattern }] });
      const request = { checks, minScore: 1, inputs: { texts }, parameters: {} };
      const report = await runChecks(fixture.engine, request, fixture.context);
      expect(report.checks[0]?.failingRows).toBe(expected?.['failing']);
    },
  );

  test.each([
    [{ column: 'code', values: ['a', 'b'] }, 1],
    [{ column: 'delay', values: [10, -5, 99, 1.5] }, 0],
    [{ column: 'ok', values: [true] }, 1],
    [{ column: 'day', values: ['2001-01-01'] }, 2],
  ])('accepted_values, when they are %j, counts the others', async (accepted, failingRows) => {
    expect(await one({ type: 'accepted_values', ...accepted })).toMatchObject({ failingRows });
  });

  test('freshness, when the newest value is young enough, or there is none, passes', async () => {
    const fresh = { type: 'freshness', source: 'fresh', column: 'at' };
    expect(await one({ ...fresh, max_age: '2h' })).toMatchObject({ outcome: 'PASSED' });
    expect(await one({ ...fresh, max_age: '30m' })).toMatchObject({
      outcome: 'FAILED',
      message: expect.stringMatching(/^the newest at is 1h.* old; expected 30m at most$/) as string,
    });
    expect(await one({ ...fresh, column: 'day', max_age: '25h' })).toMatchObject({ outcome: 'PASSED' });
    expect(await one({ type: 'freshness', column: 'at', max_age: '1h' })).toMatchObject({
      outcome: 'FAILED',
      observed: { newest: '2001-01-03T10:00:00.000Z' },
    });
    expect(await one({ ...fresh, source: 'none', max_age: '1h' })).toMatchObject({
      outcome: 'PASSED',
      observed: { newest: null },
    });
  });

  test('schema, when types are named in any of their usual ways, compares what they mean', async () => {
    const types = {
      id: 'int',
      code: 'string',
      price: 'decimal',
      day: 'date',
      at: 'datetime',
      ok: 'bool',
      tags: 'int[]',
    };
    expect(await one({ type: 'schema', columns: types })).toMatchObject({ outcome: 'PASSED' });
    expect(await one({ type: 'schema', columns: { id: 'bigint', price: 'decimal(2, 1)' } })).toMatchObject({
      outcome: 'FAILED',
      observed: { columns: { id: 'INTEGER', price: 'DECIMAL(2,1)' } },
      message: 'id is INTEGER, expected bigint',
    });
  });

  test('referential, when values are missing from the other source, counts the rows', async () => {
    expect(await one({ type: 'referential', column: 'code', references: 'codes.code' })).toMatchObject({
      outcome: 'FAILED',
      observed: { missingValues: 1 },
      failingRows: 1,
      examples: [{ id: 2, code: 'c' }],
    });
    expect(
      await one({ type: 'referential', source: 'codes', column: 'code', references: 'orders.code' }),
    ).toMatchObject({ outcome: 'PASSED' });
  });

  test('custom_sql, when it answers rows, fails with them', async () => {
    const report = await run(
      [{ type: 'custom_sql', sql: 'select o.id, delay from Orders o where delay > ${limit}; -- too late' }],
      1,
      { limit: { type: 'int', value: 50 } },
    );
    expect(report.checks[0]).toMatchObject({
      outcome: 'FAILED',
      observed: { rows: 1 },
      failingRows: 1,
      examples: [{ id: 2, delay: 99 }],
    });
    expect(report.checks[0]).not.toHaveProperty('source');
  });
});

describe('a fault', () => {
  const at = (path: string) => `definition.quality_checks.checks.1.${path}`;
  test.each([
    [{ type: 'not_null', columns: ['id', 'gone'] }, `${at('columns.1')}: orders has no column gone; it has id, code`],
    [{ type: 'not_null', source: 'nobody', columns: ['id'] }, `${at('source')}: there is no source nobody`],
    [{ type: 'range', column: 'code', min: 1 }, `${at('min')}: code is VARCHAR, which cannot be compared with 1`],
    [{ type: 'range', column: 'delay', max: 'many' }, `${at('max')}: delay is INTEGER`],
    [{ type: 'range', column: 'day', min: 'yesterday' }, `${at('min')}: "yesterday" is no DATE`],
    [{ type: 'range', column: 'delay' }, `${at('min')}: expected min, max or both`],
    [{ type: 'range', column: 'tags', min: 1 }, `${at('min')}: tags is INTEGER[]`],
    [{ type: 'range', column: 'ok', min: 1 }, `${at('column')}: ok is BOOLEAN`],
    [{ type: 'row_count' }, `${at('min')}: expected min, max or both`],
    [{ type: 'unique', columns: ['gone'] }, `${at('columns.0')}: orders has no column gone`],
    [{ type: 'regex', column: 'code', pattern: '(' }, `${at('pattern')}: ( is no regular expression`],
    [{ type: 'regex', column: 'id', pattern: '1' }, `${at('column')}: id is INTEGER; expected a text column`],
    [{ type: 'accepted_values', column: 'code', values: ['a', 1] }, `${at('values.1')}: code is VARCHAR`],
    [{ type: 'accepted_values', column: 'ok', values: ['yes'] }, `${at('values.0')}: ok is BOOLEAN`],
    [{ type: 'freshness', column: 'code', max_age: '1h' }, `${at('column')}: code is VARCHAR`],
    [{ type: 'schema', columns: { gone: 'int' } }, `${at('columns.gone')}: orders has no column gone`],
    [{ type: 'schema', columns: { id: 'strnig' } }, `${at('columns.id')}: strnig is no type`],
    [{ type: 'referential', column: 'id', references: 'codes.code' }, `${at('references')}: id is INTEGER`],
    [
      { type: 'referential', column: 'code', references: 'nobody.id' },
      `${at('references')}: there is no source nobody`,
    ],
    [{ type: 'custom_sql', sql: 'select 1; select 2' }, `${at('sql')}: `],
    [{ type: 'custom_sql', sql: 'drop table orders' }, `${at('sql')}: `],
    [{ type: 'custom_sql', sql: "select * from read_text('/etc/passwd')" }, `${at('sql')}: `],
    [{ type: 'custom_sql', sql: 'select * from secrets' }, `${at('sql')}: there is no source secrets`],
    [{ type: 'custom_sql', sql: 'select gone from orders' }, `${at('sql')}: `],
    [{ type: 'custom_sql', sql: 'select ${gone} from orders' }, `${at('sql')}: `],
  ])('of %j, when the checks are run, names its place', async (check, message) => {
    const checks = [
      { source: 'orders', type: 'row_count', min: 0 },
      { source: 'orders', ...check },
    ];
    await expect(run(checks)).rejects.toMatchObject({
      type: 'ValidationError',
      message: expect.stringContaining(message) as string,
    });
  });
});

describe('the report', () => {
  const passing = { source: 'orders', type: 'row_count', min: 1 };
  const failing = { source: 'orders', type: 'row_count', max: 1 };

  test('without checks, when they are run, is a score of 1', async () => {
    expect(await run([])).toMatchObject({ score: 1, passed: true, needsApproval: false, checks: [] });
  });

  test('score, when checks have weights, is passed weight over all weight', async () => {
    const report = await run([{ ...passing, weight: 3 }, failing], 0.75);
    expect(report).toMatchObject({ score: 0.75, minScore: 0.75, passed: true, needsApproval: false });
    expect(new Date(report.evaluatedAt).toISOString()).toBe(report.evaluatedAt);
    expect((await run([{ ...passing, weight: 3 }, failing], 0.76)).needsApproval).toBe(true);
  });

  test('score, when the weights do not add up exactly, still reaches its bar', async () => {
    const weights = [0.1, 0.1, 0.1].map((weight) => ({ ...passing, weight }));
    expect((await run([...weights, { ...failing, weight: 0.1 }], 0.75)).needsApproval).toBe(false);
  });

  test('approval, when a CRITICAL check failed, is needed whatever the score', async () => {
    expect(await run([passing, { ...failing, severity: 'CRITICAL', weight: 0.001 }], 0.5)).toMatchObject({
      passed: false,
      needsApproval: true,
    });
    expect(await run([passing, { ...passing, severity: 'CRITICAL' }], 0.5)).toMatchObject({ needsApproval: false });
  });

  test('report, when it holds every kind of value, is plain JSON with short texts', async () => {
    inputs['odd'] = await fixture.dataset(
      "SELECT repeat('x', 5000) AS long, 12345678901234567890123::DECIMAL(38,0) AS big, 9223372036854775807 AS i, 'NaN'::DOUBLE AS nan, 'a'::BLOB AS b, {'k': 1} AS s, uuid() AS u, range(1000) AS l",
    );
    const report = await run([{ source: 'odd', type: 'range', column: 'i', max: 0 }]);
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
    const example = report.checks[0]?.examples[0];
    expect(example).toMatchObject({
      i: '9223372036854775807',
      nan: 'NaN',
      s: { k: 1 },
      big: '12345678901234567890123',
    });
    expect(example?.['long']).toHaveLength(200);
    expect(example?.['l']).toHaveLength(50);
  });

  test('checks, when the step is cancelled, end with the reason', async () => {
    const { checks } = qualityChecks.parse({ checks: [passing] });
    const context = fixture.contextOf(AbortSignal.abort(new Error('cancelled')));
    await expect(runChecks(fixture.engine, { checks, minScore: 1, inputs, parameters: {} }, context)).rejects.toThrow(
      'cancelled',
    );
  });
});
