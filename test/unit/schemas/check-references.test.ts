import { describe, expect, test } from 'vitest';
import { checkReferences } from '../../../src/schemas/check-references.ts';
import { checkCron } from '../../../src/schemas/cron.ts';
import { documentParts } from '../../../src/schemas/document-parts.ts';
import { findCycle } from '../../../src/schemas/find-cycle.ts';
import { substituteParameters } from '../../../src/schemas/substitute-parameters.ts';
import { birds, birdsWith } from './birds.ts';

const VALUES = { month: { type: 'date', value: '2001-01-01' } } as const;

const faultsOf = (document: unknown) =>
  checkReferences(documentParts(substituteParameters(document, VALUES).value)).map(
    ({ path, message }) => `${path}: ${message}`,
  );

const jdbc = (fields: object) => ({ type: 'jdbc', connection: '${secret:DB}', ...fields });
const sql = (name: string, ...dependsOn: string[]) => ({ name, engine: 'sql', sql: 'select 1', depends_on: dependsOn });
const iceberg = (fields: object) => ({ type: 'iceberg', from: 'daily', table: 'wild.daily', ...fields });
const file = (path: string) => ({ type: 'file', from: 'top', format: 'csv', path });
const check = (fields: object) => [{ source: 'strikes', column: 'n', ...fields }];

describe('the references of a document', () => {
  test('when all are sound, have no faults', () => {
    expect(faultsOf(birds())).toEqual([]);
  });

  test.each<[string, unknown, string]>([
    [
      'sinks.table.from',
      'dayly',
      'definition.sinks.table.from: there is no source or transformation dayly; expected one of strikes, states, daily, top; did you mean daily?',
    ],
    ['sinks.table', { from: 'nobody' }, 'definition.sinks.table.from: there is no source or transformation nobody'],
    [
      'transformations.1.depends_on',
      ['nobody'],
      'definition.transformations.1.depends_on.0: there is no transformation nobody',
    ],
    [
      'transformations.1.depends_on',
      ['strikes'],
      'definition.transformations.1.depends_on.0: expected a transformation; strikes is a source',
    ],
    [
      'transformations.1.depends_on',
      ['daily', 'daily'],
      'definition.transformations.1.depends_on.1: expected each name once',
    ],
    [
      'transformations.0.depends_on',
      ['top'],
      'definition.transformations.0.depends_on: expected no cycle; these wait for one another: daily → top → daily',
    ],
    ['transformations.0.depends_on', ['daily'], 'these wait for one another: daily → daily'],
    [
      'transformations.2',
      sql('Strikes'),
      'definition.transformations.2.name: expected another name: Strikes is also the name at definition.sources.strikes',
    ],
    ['sinks.TABLE', iceberg({ table: 'a.b' }), 'definition.sinks.TABLE: expected another name'],
    [
      'quality_checks.checks.0.source',
      'daily',
      'definition.quality_checks.checks.0.source: there is no source daily; expected one of strikes, states',
    ],
    [
      'quality_checks.checks.1.references',
      'stats.code',
      'definition.quality_checks.checks.1.references: there is no source stats; expected one of strikes, states; did you mean states?',
    ],
    ['sources.states', jdbc({}), 'definition.sources.states.table: is required'],
    [
      'sources.states',
      jdbc({ table: 'a', query: 'b' }),
      'definition.sources.states.query: expected either table or query, got both',
    ],
    [
      'sources.states',
      jdbc({ table: 'a', num_partitions: 2 }),
      'definition.sources.states.partition_column: is required',
    ],
    [
      'sources.states',
      jdbc({ table: 'a', partition_column: 'b' }),
      'definition.sources.states.num_partitions: is required',
    ],
    [
      'quality_checks.checks',
      check({ type: 'range' }),
      'definition.quality_checks.checks.0.min: is required: expected min, max or both',
    ],
    [
      'quality_checks.checks',
      check({ type: 'range', min: 2, max: 1 }),
      'definition.quality_checks.checks.0.max: expected at least min (2), got 1',
    ],
    [
      'quality_checks.checks',
      [{ source: 'strikes', type: 'row_count', min: 2, max: 1 }],
      'checks.0.max: expected at least min',
    ],
    [
      'quality_checks.checks',
      [{ source: 'strikes', type: 'unique', columns: ['a', 'a'] }],
      'checks.0.columns.1: expected each once',
    ],
    ['sinks.table.mode', 'merge', 'definition.sinks.table.merge_keys: is required with mode merge'],
    ['sinks.table.merge_keys', ['day'], 'definition.sinks.table.merge_keys: is only for mode merge, got mode append'],
    [
      'sinks.table',
      iceberg({ mode: 'merge', merge_keys: ['a', 'a'] }),
      'definition.sinks.table.merge_keys.1: expected each once',
    ],
    [
      'sinks.table',
      iceberg({ mode: 'overwrite_partition' }),
      'definition.sinks.table.partition_by: is required with mode overwrite_partition',
    ],
    [
      'sinks.table.partition_by',
      ['bucket(16,a)', 'bucket( 16, a )'],
      'definition.sinks.table.partition_by.1: expected each once',
    ],
    ['sinks.file.path', 'out/*.csv', "definition.sinks.file.path: expected one file's path, got the pattern out/*.csv"],
    ['sinks.file.path', 'out/', 'definition.sinks.file.path: expected a file, got the folder out/'],
    ['sinks.file.path', 'out/..', 'definition.sinks.file.path: expected a file, got the folder out/..'],
    [
      'sinks.other',
      file('./out/${month}.csv'),
      'definition.sinks.other.path: expected another target: the sink file replaces',
    ],
    [
      'sinks.other',
      iceberg({ mode: 'overwrite' }),
      'definition.sinks.table.table: expected another target: the sink other replaces',
    ],
    [
      'quality_checks.approval',
      { timeout: '25h' },
      'definition.quality_checks.approval.timeout: expected at most orchestration.timeout (24h), got 25h',
    ],
    [
      'quality_checks.approval',
      { timeout: '1h', remind_after: ['30m', '1h'] },
      'approval.remind_after.1: expected less than approval.timeout (1h), got 1h',
    ],
    [
      'orchestration',
      { schedule: {} },
      'definition.orchestration.schedule.cron: is required: expected cron or interval',
    ],
    [
      'orchestration',
      { schedule: { cron: '0 6 * * *', interval: '1h' } },
      'definition.orchestration.schedule.interval: expected either',
    ],
    [
      'orchestration',
      { schedule: { cron: '0 6 * *' } },
      'definition.orchestration.schedule.cron: expected five fields',
    ],
    [
      'orchestration',
      { schedule: { interval: '1h', blackouts: [{ cron: '61 * * * *', duration: '1h' }] } },
      'schedule.blackouts.0.cron: expected minute (0 to 59',
    ],
    [
      'orchestration',
      { schedule: { interval: '1h', start: '2026-01-02T00:00:00Z', end: '2026-01-01T00:00:00Z' } },
      'schedule.end: expected later than start',
    ],
    [
      'orchestration',
      { schedule: { interval: '1h', blackouts: [{ from: '2026-01-02T00:00:00Z', to: '2026-01-02T00:00:00Z' }] } },
      'schedule.blackouts.0.to: expected later than from',
    ],
    ['orchestration', { after: ['birds'] }, 'definition.orchestration.after.0: expected another pipeline'],
    ['orchestration', { after: ['a', 'a'] }, 'definition.orchestration.after.1: expected each name once'],
    [
      'orchestration',
      { retry: { run_sql: { initial_interval: '2m', max_interval: '1m' } } },
      'definition.orchestration.retry.run_sql.max_interval: expected at least initial_interval (2m), got 1m',
    ],
  ])('when %s is %j, are refused with the place', (path, value, fault) => {
    expect(faultsOf(birdsWith({ [`definition.${path}`]: value }))).toEqual([expect.stringContaining(fault)]);
  });

  test('when two sinks append to one table, have no faults', () => {
    expect(faultsOf(birdsWith({ 'definition.sinks.other': iceberg({}) }))).toEqual([]);
  });

  test('when a part has a fault of its own, are checked all the same', () => {
    const document = birdsWith({
      'definition.transformations.0': { name: 'daily', engine: 'nothing', depends_on: ['top'] },
    });

    expect(faultsOf(document)).toEqual([expect.stringContaining('daily → top → daily')]);
  });

  test('when there are 501 steps, are refused; 500 are taken', () => {
    const chain = (count: number) =>
      Array.from({ length: count }, (_, i) => (i === 0 ? sql('t0') : sql(`t${i}`, `t${i - 1}`)));
    const of = (count: number) =>
      faultsOf(
        birdsWith({ 'definition.transformations': chain(count), 'definition.sinks': { one: iceberg({ from: 't0' }) } }),
      );

    expect(of(497)).toEqual([]);
    expect(of(498)).toEqual(['definition: expected at most 500 steps (sources, transformations, sinks), got 501']);
  });
});

describe('a cycle', () => {
  test('when there is one, is named from where it begins', () => {
    expect(
      findCycle(
        new Map([
          ['a', ['b']],
          ['b', ['c', 'd']],
          ['c', []],
          ['d', ['b']],
        ]),
      ),
    ).toEqual(['b', 'd', 'b']);
  });

  test('when ways only meet, is none', () => {
    expect(
      findCycle(
        new Map([
          ['a', ['b', 'c']],
          ['b', ['d']],
          ['c', ['d', 'unknown']],
          ['d', []],
        ]),
      ),
    ).toBeUndefined();
  });

  test('when every node leads to all later ones, is searched for in no long time', () => {
    const nodes = Array.from({ length: 400 }, (_, i) => String(i));
    const startedAt = performance.now();

    expect(findCycle(new Map(nodes.map((node, i) => [node, nodes.slice(i + 1)])))).toBeUndefined();
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });
});

describe('a cron expression', () => {
  test.each(['* * * * *', '0 6 * * *', '*/15 0-6,22 1 JAN-mar mon-FRI', '0 0 31 12 7', '5/10 * * * 0'])(
    'when it is %s, is taken',
    (cron) => {
      expect(checkCron(cron)).toBeUndefined();
    },
  );

  test.each([
    '',
    '* * * *',
    '* * * * * *',
    '60 * * * *',
    '* 24 * * *',
    '* * 0 * *',
    '* * * 13 *',
    '* * * * 8',
    '*/0 * * * *',
    '5-1 * * * *',
    'a * * * *',
    '* * * * mon,',
    '-1 * * * *',
  ])('when it is %j, is refused', (cron) => {
    expect(checkCron(cron)).toMatch(/^expected /);
  });
});
