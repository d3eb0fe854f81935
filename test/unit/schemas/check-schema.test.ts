import { describe, expect, test } from 'vitest';
import { pipelineDocument } from '../../../src/schemas/definition.ts';
import { checkSchema } from '../../../src/schemas/schema-faults.ts';
import { birds, birdsWith } from './birds.ts';
import { Random } from './random.ts';

function faultsOf(document: unknown): string[] {
  const checked = checkSchema(pipelineDocument, document);
  return 'faults' in checked ? checked.faults.map(({ path, message }) => `${path}: ${message}`) : [];
}

describe('the schema of a document', () => {
  test('when the document is sound, fills in the defaults', () => {
    expect(checkSchema(pipelineDocument, birds())).toMatchObject({
      value: {
        tags: [],
        definition: {
          quality_checks: {
            approval: { timeout: '4h', approvers: [] },
            checks: [{ severity: 'ERROR', weight: 1 }, {}, {}],
          },
          transformations: [{ depends_on: [] }, {}],
          sinks: { table: { mode: 'append', schema_evolution: 'none' } },
          orchestration: { compute: 'duckdb', timeout: '24h', priority: 'NORMAL' },
        },
      },
    });
  });

  test.each([
    ['name', 'Birds', 'name: expected 1 to 63 of a-z, 0-9 and -, got "Birds"'],
    ['name', 'executions', 'name: expected another name; this one is part of the API'],
    ['name', undefined, 'name: is required: expected text'],
    ['version', 1, 'version: expected text, got 1 (put it in quotes)'],
    ['tag', ['x'], 'tag: unknown key; expected one of name, version'],
    ['tag', ['x'], 'did you mean tags?'],
    ['definition', undefined, 'definition: is required: expected a mapping'],
    ['definition', [], 'definition: expected a mapping (keys and values), got an empty list'],
    ['definition.sources', {}, 'definition.sources: expected at least one source'],
    ['definition.sources.toString', {}, 'definition.sources.toString: as a name: expected another name'],
    ['definition.sources.a b', {}, 'definition.sources.a b: as a name: expected letters, digits'],
    [
      'definition.sources.strikes.type',
      'fil',
      'definition.sources.strikes.type: expected one of file, jdbc, iceberg, api, spark; did you mean file?, got "fil"',
    ],
    [
      'definition.sources.strikes.type',
      undefined,
      'definition.sources.strikes.type: is required: expected one of file',
    ],
    [
      'definition.sources.strikes',
      'x.csv',
      'definition.sources.strikes: expected a mapping (keys and values), got "x.csv"',
    ],
    [
      'definition.sources.strikes.pth',
      'x',
      'definition.sources.strikes.pth: unknown key; expected one of type, path, format, options; did you mean path?',
    ],
    [
      'definition.sources.states.connection',
      ['secret'],
      'definition.sources.states.connection: expected text, got a list',
    ],
    ['definition.quality_checks.min_score', 1.1, 'definition.quality_checks.min_score: expected at most 1, got 1.1'],
    [
      'definition.quality_checks.approval.timeout',
      '4 hours',
      'definition.quality_checks.approval.timeout: expected a duration such as 30s',
    ],
    ['definition.quality_checks.approval.timeout', '99999d', 'expected a duration of at most 3650d'],
    [
      'definition.quality_checks.checks.0.columns',
      [],
      'definition.quality_checks.checks.0.columns: expected at least 1 entry, got an empty list',
    ],
    [
      'definition.quality_checks.checks.0.weight',
      0,
      'definition.quality_checks.checks.0.weight: expected more than 0, got 0',
    ],
    ['definition.quality_checks.checks.0.severity', 'critical', 'did you mean CRITICAL?'],
    ['definition.transformations.0.engine', 'spak', 'did you mean spark?'],
    [
      'definition.transformations.0.depends_on',
      'daily',
      'definition.transformations.0.depends_on: expected a list, got "daily"',
    ],
    ['definition.sinks.table.table', 'daily', 'definition.sinks.table.table: expected namespace.table, got "daily"'],
    ['definition.sinks.table.partition_by.0', 'week(day)', 'definition.sinks.table.partition_by.0: expected a column'],
    [
      'definition.partitioning',
      { column: 'day', size: 'day', timezone: 'Mars/Base' },
      'definition.partitioning.timezone: expected a time zone',
    ],
    [
      'definition.orchestration.retry',
      { run_sq: {} },
      'definition.orchestration.retry.run_sq: unknown key; expected one of extract_data',
    ],
    [
      'definition.orchestration.timeouts',
      { run_sql: 5 },
      'definition.orchestration.timeouts.run_sql: expected text, got 5',
    ],
    [
      'definition.orchestration.notifications',
      { email: ['a'] },
      'definition.orchestration.notifications.email.0: expected an e-mail address',
    ],
    [
      'definition.orchestration.schedule',
      { cron: '* * * * *', start: 'now' },
      'definition.orchestration.schedule.start: expected an instant',
    ],
  ])('when %s is %j, says where and what was expected', (path, value, fault) => {
    expect(faultsOf(birdsWith({ [path]: value }))).toEqual([expect.stringContaining(fault)]);
  });

  test.each([null, undefined, 'text', 5, true, []])('when the document is %j, asks for a mapping', (document) => {
    expect(faultsOf(document)).toEqual([expect.stringMatching(/^: .*expected a mapping/)]);
  });

  test('when a password stands in a faulty place, does not repeat it', () => {
    const faults = faultsOf(birdsWith({ 'definition.sources.states': { type: 'api', url: 'x', headers: 'hunter2' } }));

    expect(faults.join()).toContain('headers: expected a mapping');
    expect(faults.join()).not.toContain('hunter2');
  });

  test('when several places are faulty, tells all of them', () => {
    const document = birdsWith({
      name: 5,
      'definition.sources.strikes.format': 'xls',
      'definition.sinks.table.mode': 'add',
    });

    expect(faultsOf(document)).toHaveLength(3);
  });

  test('when a mapping poses as text or a list, has faults', () => {
    const posing = { length: { toString: 1, valueOf: 1 } };

    expect(faultsOf(birdsWith({ version: posing, 'definition.sinks.table.merge_keys': posing }))).not.toEqual([]);
  });

  test('when the document is garbage, has faults with a path and never throws', () => {
    for (let seed = 0; seed < 1500; seed += 1) {
      const random = new Random(seed);
      const faults = faultsOf(
        birdsWith({
          [random.pick([
            'definition',
            'definition.sources',
            'definition.sinks',
            'definition.transformations.0',
            'definition.quality_checks.checks',
            'definition.orchestration',
            'parameters',
          ])]: random.value(4),
        }),
      );
      for (const fault of faults) expect(fault).toMatch(/^.*: ./s);
    }
  });
});
