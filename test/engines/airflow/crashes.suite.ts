/** SIGKILL at every point where a worker knows less than Airflow does; what counts is counted in Airflow itself. */
import { describe, expect, test } from 'vitest';
import type { ProxyHooks } from '../../support/killing-proxy.ts';
import { DOUBLED } from './numbers.ts';
import { linesOf, numbersIn, startRun, type Subject } from './subject.ts';

/** Whether a request is the one at which the service is to die: its method, path, and what Airflow answered to it. */
export type Point = { at: 'request' | 'answer'; method: string; path: RegExp; state?: string };

const SUBMISSION = { method: 'POST', path: /\/dagRuns$/ };
export const LOOK = { method: 'GET', path: /\/dagRuns\/ps-[0-9a-f]{20}-g1$/ };
const POINTS: [string, Point][] = [
  ['before it submits', { at: 'request', ...SUBMISSION }],
  ['after it submitted, before it knows', { at: 'answer', ...SUBMISSION }],
  ['while it awaits the end', { at: 'answer', ...LOOK, state: 'running' }],
  ['when the DAG has succeeded, before that is recorded', { at: 'answer', ...LOOK, state: 'success' }],
];

export function crashesSuite(subject: () => Subject): void {
  describe('the service', () => {
    test.each(POINTS)('when it is killed %s, runs the DAG once', async (_, point) => {
      const { airflow, service, proxy } = subject();
      const killed = killAt(subject(), point);
      proxy.hooks = killed.hooks;
      const { workflowId, executionId, sink, journal } = await startRun(subject(), {
        dag_id: 'double_numbers',
        conf: { seconds: 3 },
      });
      await killed.done;
      proxy.hooks = {};
      await service.start();
      expect(await service.ended(workflowId, 120_000)).toMatchObject({ status: 'COMPLETED' });
      expect(await numbersIn(sink)).toEqual(DOUBLED);
      expect(await linesOf(journal)).toHaveLength(1);
      expect(await airflow.runsOf('double_numbers', executionId)).toMatchObject([
        { dag_run_id: expect.stringMatching(/-g1$/) as string, state: 'success' },
      ]);
    });
  });
}

/** Everything dies: service and Temporal server. What was on its way to it is lost. */
export function killAt(
  { service }: Subject,
  { at, method, path, state }: Point,
): { hooks: ProxyHooks; done: Promise<void> } {
  const { promise: done, resolve } = Promise.withResolvers<void>();
  const kill = async (): Promise<'cut'> => {
    await service.kill('everything');
    resolve();
    return 'cut';
  };
  const isIt = (request: { method: string; path: string }) => request.method === method && path.test(request.path);
  const hooks: ProxyHooks =
    at === 'request'
      ? { onRequest: (request) => (isIt(request) ? kill() : undefined) }
      : {
          onAnswer: (request, { body }) =>
            isIt(request) && (state === undefined || body.includes(`"state":"${state}"`)) ? kill() : undefined,
        };
  return { hooks, done };
}
