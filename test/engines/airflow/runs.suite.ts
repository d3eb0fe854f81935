/** What becomes of a step when its DAG does well, fails, or cannot run. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { readTable } from '../../../scripts/read-table.ts';
import { parseDocument } from '../../../src/schemas/parse-document.ts';
import { DOUBLED } from './numbers.ts';
import { dagStep, numbersIn, startRun, type Subject } from './subject.ts';

export function runsSuite(subject: () => Subject): void {
  describe('a step that runs a DAG in Airflow', () => {
    test('when the DAG writes Parquet to its output, hands it to the next step, and links to Airflow meanwhile', async () => {
      const { airflow, service, proxy } = subject();
      const { workflowId, executionId, sink } = await startRun(subject(), {
        dag_id: 'double_numbers',
        conf: { seconds: 3, note: { nested: [1, 'two', null] } },
      });
      await service.until(workflowId, ({ currentActivity }) => currentActivity === 'trigger_airflow_dag');
      const link = await vi.waitUntil(async () => (await dagStep(subject(), executionId)).externalUrl, 30_000);
      expect(await dagStep(subject(), executionId)).toMatchObject({ status: 'RUNNING' });

      expect(await service.ended(workflowId, 90_000)).toMatchObject({ status: 'COMPLETED' });
      expect(await numbersIn(sink)).toEqual(DOUBLED);
      const [run, ...others] = await airflow.runsOf('double_numbers', executionId);
      expect(others).toEqual([]);
      expect(run?.dag_run_id).toMatch(/^ps-[0-9a-f]{20}-g1$/);
      expect(link).toBe(`${proxy.url}/dags/double_numbers/runs/${run?.dag_run_id ?? ''}`);
      expect(run?.conf['note']).toEqual({ nested: [1, 'two', null] });
      const folder = `file://${service.dataDir}/staging/default/`;
      expect(run?.conf['pipeline']).toEqual({
        executionId,
        step: 'transform:dag',
        inputs: { numbers: expect.stringContaining(`${executionId}/extract-numbers/`) as string },
        output: expect.stringMatching(new RegExp(`^${folder}.*/transform-dag/${run?.dag_run_id ?? ''}/$`)) as string,
        intervalStart: null,
        intervalEnd: null,
      });
    });

    test('when its result task says where the output is, takes what is there', async () => {
      const { service } = subject();
      const { workflowId, sink } = await startRun(subject(), { dag_id: 'double_numbers', result_task: 'say_where' });
      expect(await service.ended(workflowId, 90_000)).toMatchObject({ status: 'COMPLETED' });
      expect(await numbersIn(sink)).toEqual(DOUBLED);
    });

    test('when its result task returned nothing, fails at once and says what was expected', async () => {
      const { service, airflow } = subject();
      const run = await startRun(subject(), { dag_id: 'double_numbers', result_task: 'say_nothing' });
      const ended = await service.ended(run.workflowId, 90_000);
      expect(ended.result?.reason).toBe(
        'The task say_nothing returned nothing; expected the URI of its output, or {output, rows}',
      );
      expect(await airflow.runsOf('double_numbers', run.executionId)).toHaveLength(1);
    });

    test('when it is the one of the example, loads what the DAG counted', async () => {
      const { service } = subject();
      const parsed = parseDocument(await readFile('examples/airflow/strikes-by-season.yaml', 'utf8'), 'yaml');
      if ('faults' in parsed) throw new Error(JSON.stringify(parsed.faults));
      await service.register(parsed.value as object);
      const { workflowId } = await service.execute('strikes-by-season');
      expect(await service.ended(workflowId, 90_000)).toMatchObject({ status: 'COMPLETED' });
      const query = 'select * from t order by season';
      expect(await readTable(service.dataDir, 'wildlife.strikes_by_season', 't', query)).toEqual([
        { season: 'autumn', strikes: '3399', cost: '10564746' },
        { season: 'spring', strikes: '2406', cost: '7663827' },
        { season: 'summer', strikes: '3021', cost: '9128430' },
        { season: 'winter', strikes: '1174', cost: '13188273' },
      ]);
    });

    test('when the DAG fails once, runs it a second time under the next name', async () => {
      const { airflow, service } = subject();
      const conf = { mood: join(service.folder, 'mood') };
      const { workflowId, executionId } = await startRun(subject(), { dag_id: 'moody', conf });
      const ended = await service.ended(workflowId, 90_000);
      // The DAG leaves no output, and the sink asks for one.
      expect(ended.result?.reason).toBe('dag left no output that another step could read');
      expect(await dagStep(subject(), executionId)).toMatchObject({ status: 'COMPLETED', attempts: 2 });
      const runs = await airflow.runsOf('moody', executionId);
      expect(runs.map(({ dag_run_id: id, state }) => [id.slice(-2), state])).toEqual([
        ['g1', 'failed'],
        ['g2', 'success'],
      ]);
    });

    test('when the DAG fails each time, fails with the name of its task and the end of its log', async () => {
      const { airflow, service } = subject();
      const { workflowId, executionId } = await startRun(subject(), { dag_id: 'moody' }, 2);
      expect(await service.ended(workflowId, 90_000)).toMatchObject({ status: 'FAILED' });
      const step = await dagStep(subject(), executionId);
      expect(step).toMatchObject({ status: 'FAILED', attempts: 2, error: { type: 'JobFailedError' } });
      expect(step.externalUrl).toMatch(/\/dags\/moody\/runs\/ps-[0-9a-f]{20}-g2$/);
      expect(step.error?.message).toMatch(
        /^The DAG moody failed in Airflow, run ps-\w+-g2: the task sulk failed, try 1\n/,
      );
      expect(step.error?.message).toMatch(/ValueError: not today \(.*moody\.py:\d+\)/);
      expect(step.error?.message).toContain('it rains');
      expect(await airflow.runsOf('moody', executionId)).toHaveLength(2);
    });

    test.each([
      ['unknown', 'nobody_knows_it', /^Airflow at http:\/\/127\.0\.0\.1:\d+ has no DAG nobody_knows_it$/],
      [
        'paused',
        'switched_off',
        /^The DAG switched_off is paused in Airflow; switch it on at http.*\/dags\/switched_off$/,
      ],
    ])('when the DAG is %s, fails at the first attempt and says so', async (_, dagId, reason) => {
      const { airflow, service } = subject();
      const { workflowId, executionId } = await startRun(subject(), { dag_id: dagId });
      const ended = await service.ended(workflowId, 60_000);
      expect(ended).toMatchObject({
        status: 'FAILED',
        retries: 0,
        result: { reason: expect.stringMatching(reason) as string },
      });
      if (dagId === 'switched_off') expect(await airflow.runsOf(dagId, executionId)).toEqual([]);
    });
  });
}
