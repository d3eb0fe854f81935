/** SIGKILL at every point where a worker knows less than Spark does; what counts is what the application itself wrote. */
import { glob } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { ProxiedAnswer, ProxiedRequest } from '../../support/killing-proxy.ts';
import { DOUBLED, numbersIn, startRun, type StartedRun, type Subject, wordsIn } from './subject.ts';

const isSubmission = ({ path }: ProxiedRequest) => path === '/v1/submissions/create';
const saysRunning = (_: ProxiedRequest, { body }: ProxiedAnswer) => body.includes('"driverState" : "RUNNING"');

/** Ends everything, service and Temporal server, at its point of a run. */
type Killer = (subject: Subject, run: () => Promise<StartedRun>) => Promise<StartedRun>;

const POINTS: [string, Killer][] = [
  ['before it submits', (subject, run) => killAtRequest(subject, run, isSubmission)],
  ['after it submitted, before it knows', (subject, run) => killAtAnswer(subject, run, isSubmission)],
  ['while it awaits the end', (subject, run) => killAtAnswer(subject, run, saysRunning)],
  ['when the application has ended, before that is recorded', killAtOutcome],
];

export function crashesSuite(subject: () => Subject): void {
  describe('the service', () => {
    test.each(POINTS)('when it is killed %s, runs the application once', async (_, kill) => {
      const { service, proxy } = subject();
      const run = await kill(subject(), () => startRun(subject(), { application: 'journal.py', seconds: 6 }));
      proxy.hooks = {};
      await service.start();
      expect(await service.ended(run.workflowId, 150_000)).toMatchObject({ status: 'COMPLETED' });
      expect(await numbersIn(run.sink)).toEqual(DOUBLED);
      // A second driver, if there was one, has found the name taken.
      await everyDriverEnded(subject());
      expect(await wordsIn(run.journal)).toEqual(['begin', 'end']);
    });
  });
}

type IsIt = (request: ProxiedRequest, answer: ProxiedAnswer) => boolean;

async function killAtRequest(
  { service, proxy }: Subject,
  start: () => Promise<StartedRun>,
  isIt: (request: ProxiedRequest) => boolean,
): Promise<StartedRun> {
  const { promise: killed, resolve } = Promise.withResolvers<void>();
  proxy.hooks = {
    onRequest: async (request) => {
      if (!isIt(request)) return undefined;
      await service.kill('everything');
      resolve();
      return 'cut';
    },
  };
  const run = await start();
  await killed;
  return run;
}

async function killAtAnswer({ service, proxy }: Subject, start: () => Promise<StartedRun>, isIt: IsIt) {
  const { promise: killed, resolve } = Promise.withResolvers<void>();
  proxy.hooks = {
    onAnswer: async (request, answer) => {
      if (!isIt(request, answer)) return undefined;
      await service.kill('everything');
      resolve();
      return 'cut';
    },
  };
  const run = await start();
  await killed;
  return run;
}

/** The outcome is in staging at once; the service looks every few seconds. */
async function killAtOutcome({ service }: Subject, start: () => Promise<StartedRun>): Promise<StartedRun> {
  const run = await start();
  const pattern = `${service.dataDir}/staging/*/*/${run.executionId}/transform-job/*/outcome.json`;
  while ((await glob(pattern).next()).done === true) await sleep(50);
  await service.kill('everything');
  return run;
}

async function everyDriverEnded({ spark }: Subject): Promise<void> {
  const works = ({ state }: { state: string }) => state === 'RUNNING' || state === 'SUBMITTED';
  while ((await spark.drivers()).some(works)) await sleep(500);
}
