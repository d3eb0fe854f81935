/** SIGKILL of the service at each point around a commit. Snapshots are counted in the table, as pyiceberg and Spark read it. */
import { describe, expect, test } from 'vitest';
import type { ProxiedRequest, ProxyHooks } from '../../support/killing-proxy.ts';
import { isCommit } from '../iceberg-rest-lakehouse.ts';
import { expectOneLoad, pass, startRun, type Subject } from './subject.ts';

/** Cuts the request, or its answer, at which it is called; the service is dead then. Does nothing when called again. */
type Kill = () => undefined | Promise<'cut'>;

const isStage = ({ method, path }: ProxiedRequest): boolean => method === 'POST' && path.endsWith('/tables');
const isLookUp = ({ method, path }: ProxiedRequest): boolean => method === 'GET' && /\/tables\/[^/]+$/.test(path);

const POINTS: [point: string, name: string, hooks: (kill: Kill) => ProxyHooks][] = [
  [
    'before it stages the table',
    'kill-staging',
    (kill) => ({ onRequest: (request) => (isStage(request) ? kill() : undefined) }),
  ],
  [
    'before its commit arrives',
    'kill-before',
    (kill) => ({ onRequest: (request) => (isCommit(request) ? kill() : undefined) }),
  ],
  [
    'after the commit, before its answer is used',
    'kill-after',
    (kill) => ({ onAnswer: (request) => (isCommit(request) ? kill() : undefined) }),
  ],
  [
    'while it looks a commit of unknown outcome up',
    'kill-looking',
    (kill) => {
      let inDoubt = false;
      return {
        onRequest: (request) => (inDoubt && isLookUp(request) ? kill() : undefined),
        onAnswer: (request) => {
          if (inDoubt || !isCommit(request)) return undefined;
          inDoubt = true;
          return 'cut';
        },
      };
    },
  ],
  [
    'with the answer on its way, before the result is recorded',
    'kill-recording',
    (kill) => ({
      onAnswer: (request) => {
        if (isCommit(request)) setImmediate(() => void kill());
        return undefined;
      },
    }),
  ],
];

export function crashesSuite(subjectOf: () => Subject): void {
  describe('a load through a REST catalog', () => {
    test.each(POINTS)('when the service is killed %s, is one snapshot', async (_, name, hooks) => {
      const subject = subjectOf();
      const { service } = subject;
      const { promise: killed, resolve } = Promise.withResolvers<void>();
      let isDead = false;
      const kill: Kill = () => {
        if (isDead) return undefined;
        isDead = true;
        return service.kill('everything').then(() => {
          resolve();
          return 'cut';
        });
      };
      pass(subject, hooks(kill));
      const workflowId = await startRun(subject, name);
      await killed;
      await service.start();
      const ended = await service.ended(workflowId, 100_000);
      expect(ended, service.log()).toMatchObject({ status: 'COMPLETED' });
      // Nobody had recorded the load: it was tried again.
      expect(ended.retries).toBeGreaterThan(0);
      pass(subject);
      await expectOneLoad(subject, name);
    });

    test('when the catalog is away and comes back, is one snapshot', async () => {
      const subject = subjectOf();
      const { service, rest } = subject;
      await rest.server.stop();
      const workflowId = await startRun(subject, 'away');
      await service.until(workflowId, ({ retries }) => retries >= 2);
      await rest.server.start();
      expect(await service.ended(workflowId, 100_000)).toMatchObject({ status: 'COMPLETED' });
      await expectOneLoad(subject, 'away');
    });
  });
}
