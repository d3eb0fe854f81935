import { EngineError } from '../../errors.ts';
import type { AirflowClient, DagRun } from './airflow-client.ts';
import { endOfLog } from './task-log.ts';

/**
 * Why a DAG run failed, as far as Airflow can say: which task, and the end of its log. That the run failed is known
 * already, so whatever Airflow cannot tell now is left out.
 */
export async function failureOf(
  client: AirflowClient,
  dagId: string,
  { dag_run_id: runId, note }: DagRun,
  signal: AbortSignal,
): Promise<EngineError> {
  const noted = note === undefined || note === null || note === '' ? '' : ` (its note: ${note})`;
  const told = [`The DAG ${dagId} failed in Airflow, run ${runId}${noted}`];
  try {
    const failed = await client.firstFailedTask(dagId, runId, signal);
    if (failed === undefined) {
      told.push(': no task of it failed, so somebody or a time limit ended it');
    } else {
      const { task, count } = failed;
      const others = count > 1 ? `, and ${count - 1} more` : '';
      told.push(`: the task ${task.task_id} failed, try ${task.try_number}${others}`);
      const log = await endOfLog(client, dagId, runId, task, signal);
      if (log !== '') told.push(`\nThe end of its log:\n${log}`);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof EngineError)) throw error;
    told.push(` (its log cannot be had: ${error.message})`);
  }
  return new EngineError('JobFailedError', told.join(''));
}
