/** dbt steps whose worker lives. */
import { readFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freePorts } from '../../../src/temporal/free-ports.ts';
import {
  building,
  dbtProcesses,
  dbtStep,
  duckdb,
  logOf,
  portOf,
  privateFolders,
  query,
  startRun,
  type Subject,
  warehouse,
} from './subject.ts';

export function runsSuite(subjectOf: () => Subject): void {
  describe('a dbt step', () => {
    test('when its models and tests pass, hands on what it left at output', async () => {
      const subject = subjectOf();
      const { service, folder } = subject;
      const step = { select: 'tag:duckdb', profile: duckdb(subject) };
      const run = await startRun(subject, { name: 'passes', sink: 'daily' }, step);
      expect(await service.ended(run.workflowId, 90_000), service.log()).toMatchObject({ status: 'COMPLETED' });
      expect(await readFile(join(folder, 'passes.csv'), 'utf8')).toBe('day,amount\n2001-01-01,5\n2001-01-02,4\n');
      expect(await logOf(subject, run.executionId)).toContain('models: 1 passed, 0 failed, 0 skipped; tests: 2 passed');
      expect(await privateFolders(subject)).toEqual([]);
    });

    test('when a model and a test fail, says which and why and is tried again', async () => {
      const subject = subjectOf();
      const step = { select: 'tag:broken slow', vars: { factor: 5 }, profile: warehouse(subject) };
      const run = await startRun(subject, { name: 'fails', attempts: 2 }, step);
      expect(await subject.service.ended(run.workflowId, 90_000)).toMatchObject({ status: 'FAILED' });
      const shown = await dbtStep(subject, run.executionId);
      expect(shown).toMatchObject({ status: 'FAILED', attempts: 2, error: { type: 'JobFailedError' } });
      expect(shown?.error?.message).toMatch(/1 of 2 models failed, 1 of 1 tests failed: .*model broken: .*no number/s);
      expect(shown?.error?.message).toContain('test accepted_values_slow_product');
    });

    test.each<[string, (subject: Subject) => object, RegExp]>([
      ['project', (subject) => ({ project: subject.folder, profile: duckdb(subject) }), /holds no dbt project/],
      ['selection', (subject) => ({ select: '--full-refresh', profile: duckdb(subject) }), /select: expected names/],
      ['adapter', () => ({ profile: { type: 'oracle_of_delphi' } }), /oracle_of_delphi/],
      ['profile', () => ({}), /profile: expected/],
    ])('when its %s cannot be used, is tried once', async (what, step, message) => {
      const subject = subjectOf();
      const run = await startRun(subject, { name: `unusable-${what}` }, step(subject));
      expect(await subject.service.ended(run.workflowId, 60_000)).toMatchObject({ status: 'FAILED' });
      const shown = await dbtStep(subject, run.executionId);
      expect(shown).toMatchObject({ attempts: 1, error: { type: 'ValidationError' } });
      expect(shown?.error?.message).toMatch(message);
    });

    test('when the database refuses its password, is tried once and tells no secret', async () => {
      const subject = subjectOf();
      const { service } = subject;
      const profile = warehouse(subject, { secret: 'WRONG' });
      const run = await startRun(subject, { name: 'refused' }, { select: 'slow', vars: { factor: 2 }, profile });
      expect(await service.ended(run.workflowId, 60_000)).toMatchObject({ status: 'FAILED' });
      const shown = await dbtStep(subject, run.executionId);
      expect(shown).toMatchObject({ attempts: 1, error: { type: 'PermissionDeniedError' } });
      const told = `${await logOf(subject, run.executionId)}${JSON.stringify(shown)}${service.log(10_000)}`;
      expect(told).toContain('password authentication failed');
      expect(told).not.toContain(subject.environment['PIPELINE_SECRET_WRONG']);
    });

    test('when its database is away and comes back, completes', async () => {
      const subject = subjectOf();
      const [port = 0] = await freePorts([undefined]);
      const step = { select: 'slow', vars: { factor: 2 }, profile: warehouse(subject, { port }) };
      const run = await startRun(subject, { name: 'away', attempts: 20 }, step);
      const log = async () => logOf(subject, run.executionId);
      await expect.poll(log, { timeout: 60_000 }).toContain('cannot reach its database');
      const forwarder = await forward(port, portOf(subject.postgres));
      try {
        expect(await subject.service.ended(run.workflowId, 60_000)).toMatchObject({ status: 'COMPLETED' });
      } finally {
        forwarder.close();
      }
      const products = [2, 4, 6].map((product) => ({ product }));
      expect(await query(subject, 'select product::int from shop.slow order by n')).toEqual(products);
    });

    test('when its run is cancelled, ends dbt and its query', async () => {
      const subject = subjectOf();
      const { service } = subject;
      const step = { select: 'slow', vars: { factor: 2, seconds: 100 }, profile: warehouse(subject) };
      const run = await startRun(subject, { name: 'cancelled' }, step);
      await expect.poll(() => building(subject), { timeout: 60_000 }).toBe(1);
      expect(await dbtProcesses(subject)).not.toEqual([]);
      await service.call('POST', `/v1/pipelines/workflows/${run.workflowId}/signal`, {
        name: 'cancellation',
        data: {},
      });
      expect(await service.ended(run.workflowId, 30_000)).toMatchObject({ status: 'CANCELLED' });
      expect(await dbtProcesses(subject)).toEqual([]);
      await expect.poll(() => building(subject), { timeout: 60_000 }).toBe(0);
      expect(await privateFolders(subject)).toEqual([]);
    });
  });
}

/** What comes to one port goes to another. */
async function forward(from: number, to: number): Promise<Server> {
  const server = createServer((socket) => {
    const upstream = connect(to, '127.0.0.1');
    socket.pipe(upstream).pipe(socket);
    for (const end of [socket, upstream]) end.on('error', () => end.destroy());
  });
  await new Promise<void>((resolve) => server.listen(from, '127.0.0.1', resolve));
  return server;
}
