/** SIGKILL at every point where a worker knows less than Flink does; jobs are counted at the job manager itself. */
import { describe, expect, test } from 'vitest';
import type { ProxyHooks } from '../../support/killing-proxy.ts';
import { DOUBLED, doubling, jobStates, numbersIn, type StartedRun, startRun, type Subject } from './subject.ts';

/** The request at which the service is to die: to whom, and what it or its answer says. */
interface Point {
  to: 'gateway' | 'jobManager';
  at: 'request' | 'answer';
  path: RegExp;
  says: RegExp;
}

const STATEMENT = { to: 'gateway', path: /\/statements$/, says: /INSERT/ } as const;
const LOOK = { to: 'jobManager', at: 'answer', path: /^\/jobs\/[0-9a-f]{32}$/ } as const;
const POINTS: [string, Point][] = [
  ['before it submits', { ...STATEMENT, at: 'request' }],
  ['after it submitted, before it knows', { ...STATEMENT, at: 'answer' }],
  ['while it awaits the end', { ...LOOK, says: /"state":"RUNNING"/ }],
  ['when the job has ended, before that is recorded', { ...LOOK, says: /"state":"FINISHED"/ }],
];

export function crashesSuite(subjectOf: () => Subject): void {
  const expectOneJob = async (run: StartedRun) => {
    const subject = subjectOf();
    const ended = await subject.service.ended(run.workflowId, 120_000);
    expect(ended, subject.service.log()).toMatchObject({ status: 'COMPLETED' });
    expect(await numbersIn(run)).toEqual(DOUBLED);
    expect(await jobStates(subject, run)).toEqual(['1: FINISHED']);
  };

  describe('the service', () => {
    test.each(POINTS)('when it is killed %s, has one job', async (_, point) => {
      const subject = subjectOf();
      const { hooks, done } = killAt(subject, point);
      subject[point.to].hooks = hooks;
      const run = await startRun(subject, { statement: doubling(4) });
      await done;
      subject[point.to].hooks = {};
      await subject.service.start();
      await expectOneJob(run);
    });

    test('when it is told to end while its job runs, leaves the job to its successor', async () => {
      const subject = subjectOf();
      const run = await startRun(subject, { statement: doubling(8) });
      const states = () => jobStates(subject, run);
      await expect.poll(states, { timeout: 60_000, interval: 200 }).toEqual(['1: RUNNING']);
      await subject.service.stop();
      expect(await states()).toEqual(['1: RUNNING']);
      await subject.service.start();
      await expectOneJob(run);
    });
  });
}

/** Everything dies: service and Temporal server. What was on its way to it is lost. */
function killAt({ service }: Subject, { at, path, says }: Point): { hooks: ProxyHooks; done: Promise<void> } {
  const { promise: done, resolve } = Promise.withResolvers<void>();
  let killed = false;
  const kill = async (): Promise<'cut'> => {
    if (!killed) await service.kill('everything');
    killed = true;
    resolve();
    return 'cut';
  };
  const asked = ({ path: requested }: { path: string }) => path.test(requested);
  const hooks: ProxyHooks =
    at === 'request'
      ? { onRequest: (request) => (asked(request) && says.test(request.body) ? kill() : undefined) }
      : {
          onAnswer: (request, { body }) =>
            asked(request) && (says.test(body) || says.test(request.body)) ? kill() : undefined,
        };
  return { hooks, done };
}
