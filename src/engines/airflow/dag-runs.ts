/** The DAG runs of one step: which of them stands, and the next one when none does. */
import { isDeepStrictEqual } from 'node:util';
import { EngineError } from '../../errors.ts';
import type { JsonObject } from '../../schemas/json.ts';
import type { EngineContext } from '../dataset.ts';
import type { AirflowClient, DagRun } from './airflow-client.ts';

/** What identifies the DAG runs of a step. */
export interface StepRuns {
  dagId: string;
  /** What their ids start with; a number from 1 on follows, the generation. */
  prefix: string;
}

export interface DagRequest extends StepRuns {
  /** What a run of that id is to be given. The same id gives the same conf, in every attempt. */
  confOf: (runId: string) => Promise<JsonObject>;
}

/**
 * The run that the step has in Airflow, submitted now unless there is one: the newest that Airflow does not call failed,
 * else one more. Whoever else submits the same id, only one of them is the first (spec section 2, "External jobs").
 *
 * @throws EngineError `ValidationError` for a DAG that is unknown or paused, or a run of ours that somebody gave another conf
 */
export async function findOrSubmit(
  client: AirflowClient,
  request: DagRequest,
  { signal, log }: EngineContext,
): Promise<DagRun> {
  const { dagId, prefix } = request;
  const runs = await runsByGeneration(client, request, signal);
  const standing = runs.find(({ run }) => run.state !== 'failed');
  const runId = standing?.run.dag_run_id ?? `${prefix}${1 + (runs[0]?.generation ?? 0)}`;
  const conf = await request.confOf(runId);
  if (standing !== undefined) return adopted(client, dagId, standing.run, conf, log);

  await checkDag(client, dagId, signal);
  signal.throwIfAborted();
  const submitted = await client.trigger(dagId, runId, conf);
  if (submitted !== undefined) {
    log('info', `Submitted to Airflow: run ${runId} of ${dagId}, ${client.link(dagId, runId)}`);
    return submitted;
  }
  const first = await client.run(dagId, runId, signal);
  if (first === undefined) {
    throw new EngineError('UnavailableError', `Airflow refused the run ${runId} as its second, and has no first`);
  }
  return adopted(client, dagId, first, conf, log);
}

/** Ends every run of the step that still works. Runs that are not this execution's are none of its business. */
export async function stopRuns(
  client: AirflowClient,
  step: StepRuns & { executionId: string },
  { signal, log }: EngineContext,
): Promise<void> {
  for (const { run } of await runsByGeneration(client, step, signal)) {
    const ours = (run.conf?.['pipeline'] as { executionId?: unknown } | undefined)?.executionId === step.executionId;
    if (hasEnded(run) || !ours) continue;
    await client.markFailed(step.dagId, run.dag_run_id, `Stopped by pipeline-service, run ${step.executionId}`, signal);
    log('info', `Stopped in Airflow: run ${run.dag_run_id} of ${step.dagId}`);
  }
}

export function hasEnded({ state }: DagRun): boolean {
  return state === 'success' || state === 'failed';
}

/** The newest generation first. */
async function runsByGeneration(
  client: AirflowClient,
  { dagId, prefix }: StepRuns,
  signal: AbortSignal,
): Promise<{ run: DagRun; generation: number }[]> {
  const runs = await client.runsOf(dagId, prefix, signal);
  return runs
    .map((run) => ({ run, generation: Number(run.dag_run_id.slice(prefix.length)) }))
    .filter(({ generation }) => Number.isSafeInteger(generation) && generation > 0)
    .sort((a, b) => b.generation - a.generation);
}

function adopted(
  client: AirflowClient,
  dagId: string,
  run: DagRun,
  conf: JsonObject,
  log: EngineContext['log'],
): DagRun {
  const runId = run.dag_run_id;
  // As JSON would carry it, and whatever the order of its keys.
  if (!isDeepStrictEqual(run.conf ?? {}, JSON.parse(JSON.stringify(conf)))) {
    throw new EngineError(
      'ValidationError',
      `Airflow has a run ${runId} of ${dagId} with another conf than this step's`,
    );
  }
  log('info', `Found in Airflow: run ${runId} of ${dagId}, ${run.state}, ${client.link(dagId, runId)}`);
  return run;
}

async function checkDag(client: AirflowClient, dagId: string, signal: AbortSignal): Promise<void> {
  const dag = await client.dag(dagId, signal);
  if (dag === undefined) {
    throw new EngineError('ValidationError', `Airflow at ${client.http.url} has no DAG ${dagId}`);
  }
  if (dag.is_paused) {
    // Airflow would take the run and leave it queued, without a word.
    const where = client.link(dagId);
    throw new EngineError('ValidationError', `The DAG ${dagId} is paused in Airflow; switch it on at ${where}`);
  }
}
