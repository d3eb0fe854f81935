/** Which pipelines a migration concerns, as far as their documents tell. */
import { expect, test } from 'vitest';
import { checkedSql } from '../../../src/engines/migrations/checked-sql.ts';
import { impactOn } from '../../../src/engines/migrations/migration-impact.ts';
import type { JsonObject } from '../../../src/schemas/json.ts';
import { migrationDocument } from '../../../src/schemas/migration.ts';

function targetOf(target: object) {
  const changes = [{ op: 'drop_column', column: 'x' }];
  const { targets } = migrationDocument.parse({ name: 'm', targets: [{ changes, ...target }] });
  const [only] = targets;
  if (only === undefined) throw new Error('no target');
  return only;
}
const lake = targetOf({ type: 'iceberg', table: 'a.delays' });
const database = targetOf({ type: 'postgres', connection: '${secret:DB}', table: 'delays' });
const impact = (definition: object, target = lake) => {
  const document = { definition } as unknown as JsonObject;
  return impactOn({ pipelineId: 'pl_1', name: 'p', document }, target, ['delay', 'origin']).map(
    ({ how, step, columns, mayUse }) => ({ how, step, columns, mayUse }),
  );
};
const source = { type: 'iceberg', table: 'a.delays' };
const into = (from: string) => ({ out: { type: 'file', from, path: 'x' } });

test.each([
  ['its SQL names a column', 'select Delay from s', { columns: ['delay'], mayUse: [] }],
  ['its SQL quotes a column', 'select "origin" from s', { columns: ['origin'], mayUse: [] }],
  ['its SQL takes all', 'select * from s', { columns: [], mayUse: ['delay', 'origin'] }],
  ['its SQL only counts', 'select count(*) from s', { columns: [], mayUse: [] }],
  ['a name stands in a literal or a comment', "select 'delay' from s -- origin", { columns: [], mayUse: [] }],
])('a pipeline that reads the table, when %s, is told so', (_, sql, expected) => {
  const transformations = [{ name: 't', engine: 'sql', sql }];
  const found = impact({ sources: { s: source }, transformations, sinks: into('t') });
  expect(found).toEqual([{ how: 'reads', step: 'extract:s', ...expected }]);
});

test('a pipeline, when rows go on as they are or to another engine, may use every column; its checks name some', () => {
  const checks = [{ type: 'not_null', source: 's', columns: ['delay'] }];
  const asTheyAre = { sources: { s: source }, quality_checks: { checks }, sinks: into('s') };
  expect(impact(asTheyAre)).toEqual([{ how: 'reads', step: 'extract:s', columns: ['delay'], mayUse: ['origin'] }]);
  const transformations = [{ name: 't', engine: 'airflow', dag_id: 'd' }];
  const elsewhere = { sources: { s: source }, transformations, sinks: into('t') };
  expect(impact(elsewhere)).toMatchObject([{ columns: [], mayUse: ['delay', 'origin'] }]);
});

test('a pipeline, when it writes the table, is told with its keys and partitions; other tables concern nobody', () => {
  const transformations = [{ name: 't', engine: 'sql', sql: 'select d, n from s' }];
  const sink = { ...source, from: 't', merge_keys: ['delay'], partition_by: ['truncate(2, origin)'] };
  const sources = { s: { type: 'file', path: 'x', format: 'csv' } };
  expect(impact({ sources, transformations, sinks: { out: sink } })).toEqual([
    { how: 'writes', step: 'load:out', columns: ['delay', 'origin'], mayUse: [] },
  ]);
  expect(impact({ sources, transformations, sinks: { out: { ...sink, table: 'a.other' } } })).toEqual([]);
});

test('a table of PostgreSQL, when the connection has the same text, is the same with and without its schema', () => {
  const connection = '${secret:DB}';
  const jdbc = (more: object) => ({ sources: { s: { type: 'jdbc', connection, ...more } }, sinks: into('s') });
  expect(impact(jdbc({ table: 'public.delays' }), database)).toHaveLength(1);
  expect(impact(jdbc({ query: 'select delay from delays' }), database)).toMatchObject([{ columns: ['delay'] }]);
  expect(impact(jdbc({ query: 'select delay from others' }), database)).toEqual([]);
  expect(impact(jdbc({ connection: '${secret:OTHER}', table: 'delays' }), database)).toEqual([]);
});

test.each([
  ['select * from a.delays', 'select * from "delays"'],
  ['select A.Delays.x from "a" . "delays"', 'select "delays".x from "delays"'],
  ["select 'a.delays' from a.delays as d -- a.delays", `select 'a.delays' from "delays" as d -- a.delays`],
  ['select b.a.delays from a.delays b', 'select b.a.delays from "delays" b'],
  ['select * from delays', 'select * from "delays"'],
])('SQL of a check, when it is %s, reads the input', (sql, expected) => {
  const table = sql.endsWith('from delays') ? 'delays' : 'a.delays';
  expect(checkedSql(sql, table)).toBe(expected);
});
