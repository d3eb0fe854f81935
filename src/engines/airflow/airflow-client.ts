/** The calls of Airflow 3's REST API (`/api/v2`) that a step needs, and what of their answers it reads. */
import * as z from 'zod';
import { EngineError } from '../../errors.ts';
import type { JsonObject } from '../../schemas/json.ts';
import { AirflowHttp, type AirflowOptions, type AirflowRequest, isSuccess } from './airflow-http.ts';
import { parseJson } from './airflow-token.ts';
import { boundedText } from './bounded-body.ts';

const dag = z.object({ is_paused: z.boolean() });
const dagRun = z.object({
  dag_run_id: z.string(),
  /** queued, running, success, failed */
  state: z.string(),
  conf: z.record(z.string(), z.unknown()).nullish(),
  note: z.string().nullish(),
});
const dagRuns = z.object({ dag_runs: z.array(dagRun) });
const task = z.object({ task_id: z.string(), map_index: z.int(), try_number: z.int() });
const tasks = z.object({ task_instances: z.array(task), total_entries: z.int() });
const xcom = z.object({ value: z.unknown() });

export type DagRun = z.output<typeof dagRun>;
export type TaskInstance = z.output<typeof task>;

/** Of the newest DAG runs whose name fits; a step has a handful. */
const LISTED_RUNS = 100;

export class AirflowClient {
  readonly http: AirflowHttp;

  constructor(options: AirflowOptions) {
    this.http = new AirflowHttp(options);
  }

  /** Where people see a DAG, or one run of it. */
  link(dagId: string, runId?: string): string {
    const ofDag = `${this.http.url}/dags/${encodeURIComponent(dagId)}`;
    return runId === undefined ? ofDag : `${ofDag}/runs/${encodeURIComponent(runId)}`;
  }

  /** Undefined when Airflow does not know it. */
  dag(dagId: string, signal: AbortSignal): Promise<{ is_paused: boolean } | undefined> {
    return this.#find(dag, `/dags/${encodeURIComponent(dagId)}`, signal);
  }

  /** Runs whose id starts with the prefix, the newest first. None of a DAG that Airflow does not know. */
  async runsOf(dagId: string, prefix: string, signal: AbortSignal): Promise<DagRun[]> {
    // A pattern of SQL's LIKE; versions that do not know the parameter answer runs of other names, too.
    const query = new URLSearchParams({
      run_id_pattern: `${prefix}%`,
      order_by: '-run_after',
      limit: String(LISTED_RUNS),
    });
    const found = await this.#find(dagRuns, `${runsPath(dagId)}?${query.toString()}`, signal);
    return (found?.dag_runs ?? []).filter((run) => run.dag_run_id.startsWith(prefix));
  }

  /** Undefined when there is none. */
  run(dagId: string, runId: string, signal: AbortSignal): Promise<DagRun | undefined> {
    return this.#find(dagRun, runPath(dagId, runId), signal);
  }

  /**
   * Undefined when Airflow has a run of that id. Cannot be aborted once it is on its way: whoever cancels looks for what
   * to stop after this ended, and would not see a run that Airflow is still making.
   */
  trigger(dagId: string, runId: string, conf: JsonObject): Promise<DagRun | undefined> {
    // Runs of one DAG with the same logical date exclude each other; without one they do not.
    const body = { dag_run_id: runId, logical_date: null, conf };
    const unaborted = new AbortController().signal;
    return this.#call(dagRun, { method: 'POST', path: runsPath(dagId), body, expected: [409] }, unaborted);
  }

  /** Ends a run: its tasks are killed. */
  async markFailed(dagId: string, runId: string, note: string, signal: AbortSignal): Promise<void> {
    const body = { state: 'failed', note };
    await this.#call(dagRun, { method: 'PATCH', path: runPath(dagId, runId), body, expected: [404] }, signal);
  }

  /** The first task that failed, and how many did; undefined when none did. */
  async firstFailedTask(
    dagId: string,
    runId: string,
    signal: AbortSignal,
  ): Promise<{ task: TaskInstance; count: number } | undefined> {
    const path = `${runPath(dagId, runId)}/taskInstances?state=failed&order_by=end_date&limit=1`;
    const found = await this.#find(tasks, path, signal);
    const [first] = found?.task_instances ?? [];
    return first && { task: first, count: found?.total_entries ?? 1 };
  }

  /** What a task returned (its XCom `return_value`); undefined when it returned nothing, or there is no such task. */
  async returned(dagId: string, runId: string, taskId: string, signal: AbortSignal): Promise<unknown> {
    const path = `${taskPath(dagId, runId, taskId)}/xcomEntries/return_value?stringify=false`;
    return (await this.#find(xcom, path, signal))?.value;
  }

  #find<T>(schema: z.ZodType<T>, path: string, signal: AbortSignal): Promise<T | undefined> {
    return this.#call(schema, { method: 'GET', path, expected: [404] }, signal);
  }

  /** Undefined for an expected refusal. */
  #call<T>(schema: z.ZodType<T>, request: AirflowRequest, signal: AbortSignal): Promise<T | undefined> {
    return this.http.exchange(request, signal, async (answer) => {
      if (!isSuccess(answer.status)) return undefined;
      const told = schema.safeParse(parseJson(await boundedText(answer)));
      if (told.success) return told.data;
      const asked = `${request.method} ${request.path.split('?')[0] ?? ''}`;
      throw new EngineError('UnsupportedError', `Airflow's answer to ${asked} is not that of Airflow 3`);
    });
  }
}

function runsPath(dagId: string): string {
  return `/dags/${encodeURIComponent(dagId)}/dagRuns`;
}

function runPath(dagId: string, runId: string): string {
  return `${runsPath(dagId)}/${encodeURIComponent(runId)}`;
}

export function taskPath(dagId: string, runId: string, taskId: string): string {
  return `${runPath(dagId, runId)}/taskInstances/${encodeURIComponent(taskId)}`;
}
