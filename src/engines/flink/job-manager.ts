/** A Flink job manager's REST API (https://nightlies.apache.org/flink/flink-docs-stable/docs/ops/rest_api/), as far as a step needs it. */
import * as z from 'zod';
import { FlinkHttp, rootCause } from './flink-http.ts';

const job = z.object({
  state: z.string(),
  vertices: z
    .array(z.object({ status: z.string(), metrics: z.record(z.string(), z.unknown()).default({}) }))
    .default([]),
});
const exceptions = z.object({
  exceptionHistory: z.object({ entries: z.array(z.object({ stacktrace: z.string() })) }).optional(),
  'root-exception': z.string().nullish(),
});

export interface FlinkJob {
  /** INITIALIZING, CREATED, RUNNING, FAILING, FAILED, CANCELLING, CANCELED, FINISHED, RESTARTING, SUSPENDED, RECONCILING */
  state: string;
  /** Finished parts of all, 0 to 1. */
  progress: number;
}

export class JobManager {
  readonly #http: FlinkHttp;

  /** @param url FLINK_REST_URL */
  constructor(url: string) {
    this.#http = new FlinkHttp(url, "Flink's job manager");
  }

  /** Where people see a job. */
  link(jobId: string): string {
    return `${this.#http.url}#/job/running/${jobId}/overview`;
  }

  /** Undefined when the job manager does not know it, or no more. */
  async job(jobId: string, signal: AbortSignal): Promise<FlinkJob | undefined> {
    const found = await this.#http.call(job, { method: 'GET', path: `jobs/${jobId}`, expected: [404] }, signal);
    if (found === undefined) return undefined;
    const { state, vertices } = found;
    const finished = vertices.filter(({ status }) => status === 'FINISHED').length;
    return { state, progress: vertices.length === 0 ? 0 : finished / vertices.length };
  }

  /** Why a job failed, from the bottom of its newest exception. */
  async failureOf(jobId: string, signal: AbortSignal): Promise<string> {
    const path = `jobs/${jobId}/exceptions`;
    const found = await this.#http.call(exceptions, { method: 'GET', path, expected: [404] }, signal);
    const trace = found?.exceptionHistory?.entries[0]?.stacktrace ?? found?.['root-exception'] ?? '';
    return trace === '' ? 'it told no reason' : rootCause(trace);
  }

  /** Asks for the end of a job; harmless when it has ended or is not known. */
  async cancel(jobId: string, signal: AbortSignal): Promise<void> {
    const path = `jobs/${jobId}?mode=cancel`;
    await this.#http.call(z.unknown(), { method: 'PATCH', path, expected: [404, 409] }, signal);
  }
}
