import { describe, expect, test } from 'vitest';
import { ServiceError } from '../../../src/errors.ts';
import { resolveDefinition } from '../../../src/pipelines/resolve-definition.ts';
import { bindParameters } from '../../../src/schemas/parameters.ts';
import { birds, birdsWith, type Tree } from '../schemas/birds.ts';

const INTERVAL = { interval_start: '2001-01-01T00:00:00Z', interval_end: '2001-01-02T00:00:00Z' };

function resolved(raw: Tree, given: Tree = {}, interval: Partial<typeof INTERVAL> = {}) {
  const bound = bindParameters(raw['parameters'], given, {
    run_id: 'r1',
    scheduled_at: '2026-02-12T06:00:00Z',
    ...interval,
  });
  if ('faults' in bound) throw new Error(JSON.stringify(bound.faults));
  return resolveDefinition(raw, bound.values);
}

function faultsOf(raw: Tree, given: Tree = {}): string[] {
  try {
    resolved(raw, given);
  } catch (error) {
    expect(error).toBeInstanceOf(ServiceError);
    expect(error).toHaveProperty('code', 'VALIDATION_FAILED');
    return (error as ServiceError).faults.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}

describe('the definition of a run', () => {
  test('when parameters are given, has them in it and SQL as it was', () => {
    const { sinks, transformations } = resolved(birds(), { month: '2001-05-01', least: 9 }).definition;

    expect(sinks['file']).toMatchObject({ path: 'out/2001-05-01.csv' });
    expect(transformations[1]).toMatchObject({ sql: 'select * from daily where n > ${least}' });
  });

  test('when it is resolved again, is the same', () => {
    expect(resolved(birds(), { least: 9 })).toEqual(resolved(birds(), { least: 9 }));
  });

  test('when it has built-in parameters, has those of the run', () => {
    const raw = birdsWith({ 'definition.sinks.file.path': '${run_id}/${interval_start}.csv' });

    expect(resolved(raw, {}, INTERVAL).definition.sinks['file']).toMatchObject({ path: 'r1/2001-01-01T00:00:00Z.csv' });
  });

  test('when it asks for an interval that the run has not, is refused in texts and in SQL', () => {
    const raw = birdsWith({
      'definition.sinks.file.path': '${interval_start}.csv',
      'definition.transformations.0.sql': 'select day, 1 as n from strikes where day < ${interval_end}',
    });

    expect(faultsOf(raw)).toEqual([
      'definition.transformations.0.sql: ${interval_end} is only there when the run is given an interval',
      'definition.sinks.file.path: ${interval_start} is only there when the run is given an interval',
    ]);
  });

  test('when a value makes it another document, is checked as that', () => {
    const raw = birdsWith({
      'parameters.input': 'daily',
      'parameters.mode': 'append',
      'definition.sinks.table.from': '${input}',
      'definition.sinks.table.mode': '${mode}',
    });

    expect(faultsOf(raw, { input: 'nobody' })).toEqual([
      expect.stringContaining('definition.sinks.table.from: there is no'),
    ]);
    expect(faultsOf(raw, { mode: 'merge' })).toEqual([
      expect.stringContaining('definition.sinks.table.merge_keys: is required'),
    ]);
    expect(faultsOf(raw, { mode: 'delete' })).toEqual([
      expect.stringContaining('definition.sinks.table.mode: expected one of'),
    ]);
    expect(faultsOf(raw, { input: 'top', mode: 'overwrite' })).toEqual([]);
  });

  test('when a value looks like a secret, leaves it as text', () => {
    const raw = birdsWith({ 'parameters.null': 'x', 'definition.sources.strikes.options': { nullstr: '${null}' } });

    expect(resolved(raw, { null: '${secret:DB}' }).definition.sources['strikes']).toMatchObject({
      options: { nullstr: '${secret:DB}' },
    });
  });
});
