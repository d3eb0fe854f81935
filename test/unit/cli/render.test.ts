import { expect, test } from 'vitest';
import { ApiError } from '../../../src/cli/api-client.ts';
import { renderError } from '../../../src/cli/render-error.ts';
import { renderQuality } from '../../../src/cli/render-quality.ts';
import { bar, renderStatus, table } from '../../../src/cli/render.ts';
import { atGate, runStatus } from './statuses.ts';

test('a table, when cells have colours, lines its columns up by what one sees', () => {
  const rows = [
    ['\u001b[32mok\u001b[39m', '1'],
    ['longer', '2'],
  ];
  expect(table(['A', 'B'], rows)).toBe('A       B\n\u001b[32mok\u001b[39m      1\nlonger  2');
});

test.each([
  [0, '[..............................]   0 %'],
  [1 / 3, '[##########....................]  33 %'],
  [1, '[##############################] 100 %'],
])('a bar, when the fraction is %f, is as full as that', (fraction, expected) => {
  expect(bar(fraction)).toBe(expected);
});

test('a status, when the run waits at the gate, says how to answer', () => {
  expect(renderStatus(atGate)).toContain('pipelines approve (or reject) e1');
});

test('a status, when no worker answers, says how old it is', () => {
  expect(renderStatus(runStatus({ asOf: '2026-02-12T06:01:00.000Z' }))).toContain('known at 2026-02-12T06:01:00.000Z');
});

test('a status, when the run is paused or queued, says what it waits for', () => {
  expect(renderStatus(runStatus({ paused: true }))).toContain('pipelines resume');
  expect(renderStatus(runStatus({ currentActivity: 'wait_for_slot' }))).toContain('other runs of this pipeline');
});

test('a quality report, when a check failed, shows rows that did not pass', () => {
  const text = renderQuality({
    executionId: 'e1',
    score: 0.5,
    minScore: 0.9,
    checks: [
      { type: 'row_count', source: 'flights', severity: 'ERROR', weight: 1, outcome: 'PASSED', failingRows: 0 },
      {
        type: 'range',
        source: 'flights',
        columns: ['delay'],
        severity: 'CRITICAL',
        weight: 1,
        outcome: 'FAILED',
        failingRows: 1,
        observed: { min: -1116 },
        examples: [{ delay: -1116, origin: 'MIA\u001b[2J' }],
        message: '1 row with delay below -120',
      },
    ],
  });
  expect(text.split('\n')).toEqual([
    'Quality score 0.500, 0.9 needed',
    'CHECK   SEVERITY  TYPE       OF             FAILING ROWS  OBSERVED',
    'passed  ERROR     row_count  flights        0             null',
    'FAILED  CRITICAL  range      flights.delay  1             {"min":-1116}',
    '',
    'range of flights.delay: 1 row with delay below -120',
    'delay  origin',
    '-1116  MIA�[2J',
  ]);
});

test('an error, when it has faults, has a line for each with its path', () => {
  const faults = [
    { path: 'definition.sinks.out.table', message: 'is required' },
    { path: '', message: 'expected a mapping' },
  ];
  expect(renderError(new ApiError(400, 'The document is not valid', faults))).toBe(
    'The document is not valid\n  definition.sinks.out.table: is required\n  expected a mapping',
  );
});
