/** The client alone, against the real Airflow: what it is told, and what it makes of it. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { AirflowClient } from '../../../src/engines/airflow/airflow-client.ts';
import { findOrSubmit, stopRuns } from '../../../src/engines/airflow/dag-runs.ts';
import { runDag } from '../../../src/engines/airflow/run-dag.ts';
import type { EngineContext } from '../../../src/engines/dataset.ts';
import { poll } from '../../../src/engines/poll.ts';
import { type Subject, TOKEN_LIFE_S } from './subject.ts';

const { signal } = new AbortController();
const context: EngineContext = { signal, log: () => undefined, progress: () => undefined };
const prefix = () => `ps-test-${randomUUID()}-g`;
const confOf = (conf: Record<string, string>) => () => Promise.resolve(conf);

export function clientSuite(subject: () => Subject): void {
  const client = (username?: string, password?: string) => {
    const { airflow } = subject();
    return new AirflowClient({
      url: `${airflow.url}/`,
      username: username ?? airflow.username,
      password: password ?? airflow.password,
    });
  };

  describe('the client of Airflow', () => {
    test('when the password is wrong, says so, and that trying again is no use', async () => {
      await expect(client(undefined, 'wrong').dag('moody', signal)).rejects.toMatchObject({
        type: 'PermissionDeniedError',
        retryable: false,
        message: 'Airflow refused the password of service; see AIRFLOW_USERNAME and AIRFLOW_PASSWORD',
      });
    });

    test('when the user may only look, says what was refused', async () => {
      const request = { dagId: 'moody', prefix: prefix(), confOf: confOf({}) };
      await expect(findOrSubmit(client('viewer'), request, context)).rejects.toMatchObject({
        type: 'PermissionDeniedError',
        message: 'Airflow answered 403 to POST /dags/moody/dagRuns: Forbidden',
      });
    });

    test('when nobody listens there, says that Airflow is away, and may be tried again', async () => {
      const away = new AirflowClient({ url: 'http://127.0.0.1:9', username: 'a', password: 'b' });
      await expect(away.dag('moody', signal)).rejects.toMatchObject({
        type: 'UnavailableError',
        retryable: true,
        message: expect.stringMatching(/^Airflow at http:\/\/127\.0\.0\.1:9 is away: /) as string,
      });
    });

    test('when its token has expired, obtains another one', async () => {
      const { proxy, airflow } = subject();
      const viaProxy = new AirflowClient({ url: proxy.url, username: airflow.username, password: airflow.password });
      proxy.answered.length = 0;
      expect(await viaProxy.dag('moody', signal)).toEqual({ is_paused: false });
      await sleep(1_000 * (TOKEN_LIFE_S + 1));
      expect(await viaProxy.dag('moody', signal)).toEqual({ is_paused: false });
      expect(proxy.answered.map(({ request, answer }) => [request.path, answer.status])).toEqual([
        ['/auth/token', 201],
        ['/api/v2/dags/moody', 200],
        ['/api/v2/dags/moody', 401],
        ['/auth/token', 201],
        ['/api/v2/dags/moody', 200],
      ]);
    });

    test.each([
      ['unknown', 'eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiJhIn0.c2ln'],
      ['no token at all', 'nonsense'],
    ])('when its token is %s to Airflow, obtains another one', async (_, token) => {
      const { proxy } = subject();
      const { username, password } = subject().airflow;
      const viaProxy = new AirflowClient({ url: proxy.url, username, password });
      let given = 0;
      proxy.hooks = {
        onAnswer: ({ path }, answer) =>
          path === '/auth/token' && given++ === 0
            ? { ...answer, body: JSON.stringify({ access_token: token }) }
            : undefined,
      };
      // The first token is obtained with the first call, and no call renews a token that is new: so that fails.
      await expect(viaProxy.dag('moody', signal)).rejects.toMatchObject({ type: 'PermissionDeniedError' });
      expect(await viaProxy.dag('moody', signal)).toEqual({ is_paused: false });
      expect(given).toBe(2);
    });

    test('when the step has a run already, takes that; when its conf is another, refuses', async () => {
      const request = { dagId: 'endless', prefix: prefix(), confOf: confOf({ journal: '/dev/null', a: 'x' }) };
      const first = await findOrSubmit(client(), request, context);
      expect(first.dag_run_id).toBe(`${request.prefix}1`);
      const reordered = { ...request, confOf: confOf({ a: 'x', journal: '/dev/null' }) };
      expect((await findOrSubmit(client(), reordered, context)).dag_run_id).toBe(first.dag_run_id);
      const other = { ...request, confOf: confOf({ journal: '/dev/null', a: 'y' }) };
      await expect(findOrSubmit(client(), other, context)).rejects.toMatchObject({
        type: 'ValidationError',
        message: `Airflow has a run ${first.dag_run_id} of endless with another conf than this step's`,
      });
      await client().markFailed('endless', first.dag_run_id, 'the test is over', signal);
    });

    test.each([
      ['the same conf', { journal: '/dev/null' }, undefined],
      ['another conf', { journal: '/dev/zero' }, 'ValidationError'],
    ])('when somebody was quicker by a moment, with %s, finds that run by the refusal', async (_, conf, refused) => {
      const { proxy, airflow } = subject();
      const viaProxy = new AirflowClient({ url: proxy.url, username: airflow.username, password: airflow.password });
      const request = { dagId: 'endless', prefix: prefix(), confOf: confOf({ journal: '/dev/null' }) };
      const runId = `${request.prefix}1`;
      proxy.hooks = {
        onRequest: async ({ method, path }) => {
          if (method === 'POST' && path.endsWith('/dagRuns')) await client().trigger('endless', runId, conf);
          return undefined;
        },
      };
      proxy.answered.length = 0;
      const found = findOrSubmit(viaProxy, request, context);
      if (refused === undefined) expect(await found).toMatchObject({ dag_run_id: runId });
      else await expect(found).rejects.toMatchObject({ type: refused });
      expect(proxy.answered.map(({ answer }) => answer.status)).toContain(409);
      expect(await client().runsOf('endless', request.prefix, signal)).toHaveLength(1);
      await client().markFailed('endless', runId, 'the test is over', signal);
    });

    test('when a task is not in the DAG, has nothing that it returned', async () => {
      const { dag_run_id: runId } = await findOrSubmit(
        client(),
        { dagId: 'moody', prefix: prefix(), confOf: confOf({ mood: '/' }) },
        context,
      );
      expect(await client().returned('moody', runId, 'nobody', signal)).toBeUndefined();
    });

    test('when eight submit at once, all get the same one run', async () => {
      const request = { dagId: 'moody', prefix: prefix(), confOf: confOf({ mood: '/' }) };
      const mine = client();
      // Airflow's SQLite may be busy for too long, which is a 500: like a step, they try again.
      const submit = () => poll(() => findOrSubmit(mine, request, context), context);
      const found = await Promise.all(Array.from({ length: 8 }, submit));
      expect(new Set(found.map((run) => run.dag_run_id))).toEqual(new Set([`${request.prefix}1`]));
      expect(await mine.runsOf('moody', request.prefix, signal)).toHaveLength(1);
    });

    test('when asked to stop, leaves runs alone that are not of this execution', async () => {
      const request = { dagId: 'endless', prefix: prefix(), confOf: confOf({ journal: '/dev/null' }) };
      const run = await findOrSubmit(client(), request, context);
      await stopRuns(client(), { ...request, executionId: 'mine' }, context);
      expect((await client().run('endless', run.dag_run_id, signal))?.state).not.toBe('failed');
      await client().markFailed('endless', run.dag_run_id, 'the test is over', signal);
    });

    test('when somebody marks the run as failed, tells their note', async () => {
      const job = { dagId: 'endless', prefix: prefix(), confOf: confOf({ journal: '/dev/null' }) };
      const mine = client();
      const running = runDag(
        mine,
        { ...job, started: () => mine.markFailed('endless', `${job.prefix}1`, 'enough', signal) },
        context,
      );
      await expect(running).rejects.toMatchObject({
        type: 'JobFailedError',
        message: expect.stringContaining('its note: enough') as string,
      });
    });
  });
}
