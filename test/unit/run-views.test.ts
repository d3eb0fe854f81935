import { describe, expect, test } from 'vitest';
import { executionView } from '../../src/pipelines/run-views.ts';
import type { RunRow } from '../../src/store/runs.ts';
import type { StepRow } from '../../src/store/steps.ts';
import type { RunStatus, StepStatus } from '../../src/workflows/messages.ts';

const AT = new Date('2026-01-01T00:00:00Z');

const progressWith = (status: RunStatus, ...steps: StepStatus[]) =>
  executionView(
    { status, submittedAt: AT, startedAt: AT, parameters: {} } as unknown as RunRow,
    steps.map((step) => ({ step, status: step }) as unknown as StepRow),
  ).progress;

describe('the progress of an execution', () => {
  test.each<[RunStatus, StepStatus[], number, number]>([
    ['TERMINATED', ['COMPLETED', 'COMPLETED', 'CANCELLED', 'SKIPPED', 'SKIPPED', 'SKIPPED'], 2, 33.3],
    ['FAILED', ['COMPLETED', 'FAILED', 'SKIPPED', 'COMPLETED'], 2, 50],
    ['RUNNING', ['COMPLETED', 'SKIPPED', 'RUNNING', 'PENDING'], 2, 50],
    ['COMPLETED', ['COMPLETED', 'SKIPPED'], 2, 100],
  ])('when the run is %s with %j, counts what the percentage says', (status, steps, completedTasks, percentage) => {
    expect(progressWith(status, ...steps)).toMatchObject({ totalTasks: steps.length, completedTasks, percentage });
  });
});
