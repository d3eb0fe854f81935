/** The same definition in the embedded engine and on the cluster: rows, schema, partitions, report. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { beforeAll, describe, expect, test } from 'vitest';
import { HttpFixture } from '../../support/http-fixture.ts';
import { type Engine, judgeOf, QUICK_RETRIES, sources, type Subject } from './subject.ts';

const SQL = `SELECT s.id, s.day, s.seen_at, s.species, s.speed, s.night, s.note, s.code, s."Code_1", s.column9, p."family", p.wingspan, p.eggs,
    f.long, f.price, f.ratio, f.departs, f.raw, r.fare, r.label, c.city, e.wingspan AS wingspan_then, count(*) OVER () AS all_rows, \${factor} * s.id AS scaled
  FROM strikes s LEFT JOIN species p ON p.name = s.species LEFT JOIN flights f ON f.flight = s.id
  LEFT JOIN fares r ON r.id = s.id LEFT JOIN cities c ON c.code = s.id LEFT JOIN earlier e ON e.name = s.species
  WHERE s.day >= \${since}`;

/** Of every type, some of which fail. */
const CHECKS = [
  { source: 'strikes', type: 'not_null', columns: ['species', 'speed'], weight: 3 },
  { source: 'strikes', type: 'not_null', columns: ['day'] },
  { source: 'strikes', type: 'range', column: 'speed', min: 0, max: 1000 },
  { source: 'strikes', type: 'range', column: 'day', min: '1990-01-09', max: '1991-01-01' },
  { source: 'strikes', type: 'range', column: 'seen_at', min: '1990-01-08T12:00:00' },
  { source: 'flights', type: 'range', column: 'price', max: 0.5 },
  { source: 'flights', type: 'range', column: 'departs', max: '2001-01-01T05:30:00+01:00' },
  { source: 'flights', type: 'range', column: 'long', max: 9_999_999_999 },
  { source: 'strikes', type: 'row_count', min: 6 },
  { source: 'strikes', type: 'unique', columns: ['id'] },
  { source: 'strikes', type: 'regex', column: 'note', pattern: '^[0-9]+$' },
  { source: 'strikes', type: 'regex', column: 'species', pattern: 'l' },
  { source: 'strikes', type: 'accepted_values', column: 'species', values: ['gull', 'owl'] },
  { source: 'flights', type: 'accepted_values', column: 'flight', values: [0, 1, 2, 3] },
  { source: 'strikes', type: 'freshness', column: 'day', max_age: '1h', severity: 'INFO' },
  { source: 'flights', type: 'freshness', column: 'departs', max_age: '3650d' },
  { source: 'flights', type: 'schema', columns: { long: 'bigint', price: 'double', departs: 'timestamptz' } },
  { source: 'strikes', type: 'referential', column: 'species', references: 'species.name' },
  { source: 'fares', type: 'range', column: 'fare', max: 10 },
  { source: 'fares', type: 'freshness', column: 'sold', max_age: '1d', severity: 'INFO' },
  { source: 'cities', type: 'accepted_values', column: 'city', values: ['Graz'] },
  { source: 'earlier', type: 'not_null', columns: ['wingspan'] },
  { type: 'custom_sql', sql: 'SELECT id, note FROM strikes WHERE id >= ${factor} / 5 AND id < 4' },
];

const EARLIER = 'lab.earlier';
const CITIES = [
  { code: 2, city: 'Graz' },
  { code: 4, city: 'Linz' },
];
const ENGINES: readonly Engine[] = ['duckdb', 'spark'];

export function bothWaysSuite(subject: () => Subject): void {
  describe('a pipeline that is run on DuckDB and on Spark', () => {
    const runs = new Map<Engine, { executionId: string; steps: { step: string; externalUrl?: string }[] }>();
    const table = (engine: Engine) => `lab.on_${engine}`;
    const sink = (engine: Engine) => join(subject().service.folder, `on-${engine}.parquet`);

    beforeAll(async () => {
      const { service } = subject();
      await using api = await HttpFixture.start(() => CITIES);
      writeFares(join(service.folder, 'fares.db'));
      await loadEarlier(subject());
      // What only the service can reach it reads itself, both ways.
      const others = {
        fares: { type: 'jdbc', connection: `sqlite:${join(service.folder, 'fares.db')}`, table: 'fares' },
        cities: { type: 'api', url: `${api.url}/cities`, columns: { code: 'BIGINT', city: 'VARCHAR' } },
        earlier: { type: 'iceberg', table: EARLIER },
      };
      for (const engine of ENGINES) {
        const pipeline = await service.register({
          name: `both-${engine}`,
          version: '1',
          parameters: { since: { type: 'date', default: '1990-01-09' }, factor: 10 },
          definition: {
            sources: { ...sources(service.folder), ...others },
            quality_checks: { min_score: 0, checks: CHECKS },
            transformations: [{ name: 'joined', engine: 'sql', sql: SQL }],
            sinks: {
              table: { type: 'iceberg', from: 'joined', table: table(engine), partition_by: ['month(day)', 'species'] },
              file: { type: 'file', from: 'joined', path: sink(engine), format: 'parquet' },
            },
            orchestration: { retry: QUICK_RETRIES },
          },
        });
        const { workflowId, executionId } = await service.execute(pipeline, { engine_override: engine });
        const ended = await service.ended(workflowId, 600_000);
        expect(ended, JSON.stringify(ended)).toMatchObject({ status: 'COMPLETED' });
        const { body } = await service.call('GET', `/v1/pipelines/executions/${executionId}/steps`);
        runs.set(engine, { executionId, steps: body['data'] as { step: string }[] });
      }
    }, 900_000);

    test('when both have ended, has the same rows, columns and partitions in both tables', async () => {
      const judge = judgeOf(subject());
      const expected = sink('duckdb');
      for (const engine of ENGINES) {
        const { difference, rows } = await judge.rows('pyiceberg', { table: table(engine), expected });
        expect(difference, engine).toBeNull();
        expect(rows).toBe(4);
      }
      expect(await judge.schema('pyiceberg', table('spark'))).toEqual(await judge.schema('pyiceberg', table('duckdb')));
    });

    test('when both have ended, has the same report of both', async () => {
      const reports = [];
      for (const engine of ENGINES) {
        const path = `/v1/pipelines/executions/${runs.get(engine)?.executionId ?? ''}/quality`;
        reports.push(withoutAges((await subject().service.call('GET', path)).body));
      }
      const [duckdb, spark] = reports;
      expect(spark).toEqual(duckdb);
      expect(duckdb).toMatchObject({ checks: { length: CHECKS.length } });
    });

    test('when Spark wrote the files, has metadata that holds', async () => {
      const judge = judgeOf(subject());
      const [snapshot, ...others] = await judge.history(table('spark'));
      expect(others).toEqual([]);
      expect(await judge.audit(table('spark'), [snapshot?.snapshotId ?? ''])).toEqual([]);
    });

    test('when it runs on Spark, links each step to its driver', () => {
      const linked = runs.get('spark')?.steps.filter(({ externalUrl }) => externalUrl !== undefined);
      expect(linked?.map(({ step }) => step)).toEqual(
        expect.arrayContaining([
          'extract:strikes',
          'extract:species',
          'extract:flights',
          'quality',
          'transform:joined',
          'load:table',
        ]),
      );
    });
  });
}

/** Rows of a database, one of which fails a check. */
function writeFares(path: string): void {
  const database = new DatabaseSync(path);
  database.exec(`CREATE TABLE fares (id INTEGER, fare REAL, label TEXT, sold DATE);
    INSERT INTO fares VALUES (2, 9.5, 'half', '1990-01-01'), (3, 11.25, NULL, '1990-02-01'), (7, NULL, 'none', NULL)`);
  database.close();
}

/** A table, from a file. */
async function loadEarlier({ service }: Subject): Promise<void> {
  const pipeline = await service.register({
    name: 'earlier',
    version: '1',
    definition: {
      sources: { species: sources(service.folder)['species'] },
      sinks: { table: { type: 'iceberg', from: 'species', table: EARLIER } },
    },
  });
  const { workflowId } = await service.execute(pipeline);
  expect(await service.ended(workflowId, 120_000)).toMatchObject({ status: 'COMPLETED' });
}

/** A report without what depends on when it was made. */
function withoutAges(report: Record<string, unknown>): Record<string, unknown> {
  const checks = (report['checks'] as { message: string }[]).map((check) => {
    return { ...check, message: check.message.replace(/is .* old;/, 'is … old;') };
  });
  return { ...report, executionId: null, evaluatedAt: null, checks };
}
