import { expect, test } from 'vitest';
import { ApiError } from '../../../src/cli/api-client.ts';
import { followRun } from '../../../src/cli/watch.ts';
import type { WorkflowStatus } from '../../../src/schemas/api-run-answers.ts';
import { atGate, runStatus } from './statuses.ts';

/** Answers one after the other; the last one again and again. */
function answering(...answers: (WorkflowStatus | Error)[]) {
  let asked = 0;
  return {
    status: () => {
      const answer = answers[Math.min(asked++, answers.length - 1)];
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer as WorkflowStatus);
    },
  };
}

const ended = runStatus({ status: 'COMPLETED', progress: 1 });

async function follow(api: ReturnType<typeof answering>, untilGate: boolean, signal?: AbortSignal) {
  const seen: WorkflowStatus[] = [];
  const onChange = (status: WorkflowStatus) => void seen.push(status);
  const last = await followRun(api, 'w', { untilGate, onChange, signal, pollMs: 1 });
  return { seen, last };
}

test('following a run, when nothing changes, tells nothing twice', async () => {
  const { seen, last } = await follow(answering(runStatus(), runStatus(), ended), false);
  expect(seen).toEqual([runStatus(), ended]);
  expect(last).toEqual(ended);
});

test('following a run, when only the age of what is known changes, tells nothing twice', async () => {
  const old = (asOf: string) => runStatus({ asOf });
  const { seen } = await follow(answering(old('2026-01-01T00:00:00Z'), old('2026-01-01T00:00:01Z'), ended), false);
  expect(seen).toHaveLength(2);
});

test('following a run, when it reaches the gate, ends there only if that is wanted', async () => {
  expect((await follow(answering(runStatus(), atGate, ended), true)).last).toEqual(atGate);
  expect((await follow(answering(runStatus(), atGate, ended), false)).last).toEqual(ended);
});

test('following a run, when the service is away for a moment, goes on', async () => {
  const away = [new ApiError(0, 'nobody'), new ApiError(503, 'Temporal is away')];
  expect((await follow(answering(runStatus(), ...away, ended), false)).last).toEqual(ended);
});

test('following a run, when the service refuses, ends with its words', async () => {
  await expect(follow(answering(new ApiError(404, 'There is no workflow w')), false)).rejects.toThrow('no workflow w');
});

test('following a run, when it is aborted, ends with the reason', async () => {
  const aborted = AbortSignal.abort(new Error('enough'));
  await expect(follow(answering(runStatus()), false, aborted)).rejects.toThrow('enough');
});
