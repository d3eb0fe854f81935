/** One DAG run for a step, from its submission, or from where another attempt left it, to its end. */
import { EngineError } from '../../errors.ts';
import type { EngineContext } from '../dataset.ts';
import { poll, type Polling } from '../poll.ts';
import type { AirflowClient, DagRun } from './airflow-client.ts';
import { type DagRequest, findOrSubmit, hasEnded } from './dag-runs.ts';
import { failureOf } from './failed-run.ts';

export interface DagJob extends DagRequest {
  /** The task whose return value says where the output lies. */
  resultTask?: string | undefined;
  /** Told once the run is known to be there, with its link. */
  started: (url: string) => Promise<void>;
}

export interface DagOutcome {
  runId: string;
  url: string;
  /** What the result task said. */
  result?: { output: string; rows?: number };
}

/**
 * When `context.signal` aborts, only the waiting ends; the run goes on.
 *
 * @throws EngineError `JobFailedError`, with the failed task and the end of its log, when Airflow says that the run failed
 */
export async function runDag(
  client: AirflowClient,
  job: DagJob,
  context: EngineContext,
  polling?: Polling,
): Promise<DagOutcome> {
  const { dagId } = job;
  const { signal, log } = context;
  const found = await findOrSubmit(client, job, context);
  const runId = found.dag_run_id;
  const url = client.link(dagId, runId);
  await job.started(url);

  let { state } = found;
  const look = async (): Promise<DagRun | undefined> => {
    const run = await client.run(dagId, runId, signal);
    if (run === undefined) {
      // Nobody says that it failed. The next attempt looks again which run stands.
      throw new EngineError('UnavailableError', `Airflow does not know the run ${runId} of ${dagId} any more`);
    }
    if (run.state !== state) log('info', `The run ${runId} is ${run.state}`);
    state = run.state;
    return hasEnded(run) ? run : undefined;
  };
  const ended = hasEnded(found) ? found : await poll(look, context, polling);
  if (ended.state === 'failed') throw await failureOf(client, dagId, ended, signal);
  if (job.resultTask === undefined) return { runId, url };
  return { runId, url, result: resultOf(await client.returned(dagId, runId, job.resultTask, signal), job.resultTask) };
}

/** A URI, or `{output, rows}` (spec section 3). */
function resultOf(returned: unknown, taskId: string): { output: string; rows?: number } {
  if (typeof returned === 'string') return { output: returned };
  if (typeof returned === 'object' && returned !== null) {
    const { output, rows } = returned as { output?: unknown; rows?: unknown };
    if (typeof output === 'string') return { output, ...(Number.isSafeInteger(rows) && { rows: rows as number }) };
  }
  const what = returned === undefined || returned === null ? 'nothing' : `a value of another form (${typeof returned})`;
  throw new EngineError(
    'ValidationError',
    `The task ${taskId} returned ${what}; expected the URI of its output, or {output, rows}`,
  );
}
