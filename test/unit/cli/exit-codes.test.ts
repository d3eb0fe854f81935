import { expect, test } from 'vitest';
import { ApiError } from '../../../src/cli/api-client.ts';
import { exitCodeOf, exitCodeOfError } from '../../../src/cli/exit-codes.ts';
import { atGate, runStatus } from './statuses.ts';

test.each([
  ['COMPLETED', 0],
  ['FAILED', 1],
  ['TIMED_OUT', 1],
  ['TERMINATED', 1],
  ['ROLLED_BACK', 1],
  ['CANCELLED', 3],
] as const)('the exit code, when the run ended %s, is %i', (status, code) => {
  expect(exitCodeOf(runStatus({ status }))).toBe(code);
});

test('the exit code, when the run waits at the gate, is 4', () => {
  expect(exitCodeOf(atGate)).toBe(4);
});

test.each([
  [400, 2],
  [404, 2],
  [413, 2],
  [401, 1],
  [409, 1],
  [500, 1],
  [503, 1],
  [0, 1],
])('the exit code, when the service answered %i, is %i', (status, code) => {
  expect(exitCodeOfError(new ApiError(status, 'no'))).toBe(code);
});
