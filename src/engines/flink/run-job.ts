/**
 * One Flink job of a step (spec section 2, "External jobs"). Its id follows from its name, and Flink refuses a second job
 * of an id, so submitting again finds the first one.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../../errors.ts';
import type { EngineContext } from '../dataset.ts';
import { poll } from '../poll.ts';
import type { FlinkJob, JobManager } from './job-manager.ts';
import type { SqlGateway } from './sql-gateway.ts';

export interface Flink {
  gateway: SqlGateway;
  jobManager: JobManager;
}

export interface FlinkStep {
  /** What the names of all of the step's jobs start with; the generation follows. */
  prefix: string;
  /** The statements of a job, of which the last one submits it. */
  statementsOf: (jobName: string) => Promise<string[]>;
  /** Whether a job of that name has left something, although the job manager does not know it (any more). */
  hasOutput: (jobName: string) => Promise<boolean>;
  /** Called with the link to the job as soon as it is there. */
  started: (url: string) => Promise<void>;
}

interface KnownJob {
  generation: number;
  job: FlinkJob;
}

/** Generations that are looked for; far more than a step has attempts. */
const LOOKED_FOR = 20;
/** A job that a killed worker was just submitting may appear so much later. */
const LATE_JOBS_MS = 3_000;
const ENDED = new Set(['FINISHED', 'FAILED', 'CANCELED']);

/** 32 hex digits. */
function jobId(jobName: string): string {
  return createHash('sha256').update(jobName).digest('hex').slice(0, 32);
}

/**
 * Finds the step's job or submits it, and waits until it has ended well.
 *
 * @returns the job's name and the link to it
 * @throws EngineError `JobFailedError` with Flink's reason; `ValidationError` for a statement that Flink does not take;
 *   `UnavailableError` while Flink is away
 */
export async function runJob(
  flink: Flink,
  step: FlinkStep,
  context: EngineContext,
): Promise<{ jobName: string; url: string }> {
  const { jobManager } = flink;
  const { signal, log } = context;
  const known = await knownJobs(flink, step.prefix, signal);
  const alive = known.find(({ job }) => job.state !== 'FAILED');
  const generation = alive?.generation ?? Math.max(0, ...known.map((found) => found.generation)) + 1;
  const jobName = `${step.prefix}${generation}`;
  const id = jobId(jobName);
  const url = jobManager.link(id);
  if (alive === undefined) await submit(flink, step, jobName, context);
  else log('info', `Found the job ${jobName} (${alive.job.state})`);
  await step.started(url);
  const state = await poll(
    async () => {
      const job = await jobManager.job(id, signal);
      // Its end is not known, so it has not failed: the next attempt submits it under the same id.
      if (job === undefined) throw new EngineError('UnavailableError', `Flink's job manager does not know ${jobName}`);
      context.progress(job.progress);
      return ENDED.has(job.state) ? job.state : undefined;
    },
    context,
    POLLING,
  );
  if (state === 'FINISHED') return { jobName, url };
  if (state === 'CANCELED') throw new EngineError('JobFailedError', `Flink: the job ${jobName} was cancelled`);
  throw new EngineError(
    'JobFailedError',
    `Flink: the job ${jobName} failed: ${await jobManager.failureOf(id, signal)}`,
  );
}

const POLLING = { firstWaitMs: 500, longestWaitMs: 5_000, factor: 1.5, patienceMs: 120_000 };

/** Ends every job of the step that still works. */
export async function stopJobs(flink: Flink, prefix: string, { signal, log }: EngineContext): Promise<void> {
  const { jobManager } = flink;
  const deadlineMs = performance.now() + LATE_JOBS_MS;
  for (;;) {
    const working = (await knownJobs(flink, prefix, signal)).filter(({ job }) => !ENDED.has(job.state));
    for (const { generation } of working) {
      log('info', `Cancelling the job ${prefix}${generation}`);
      await jobManager.cancel(jobId(`${prefix}${generation}`), signal);
    }
    if (working.length === 0 && performance.now() > deadlineMs) return;
    await sleep(500, undefined, { signal });
  }
}

async function knownJobs({ jobManager }: Flink, prefix: string, signal: AbortSignal): Promise<KnownJob[]> {
  const known: KnownJob[] = [];
  // An earlier one may be forgotten while a later one works.
  for (let generation = 1; generation <= (known.at(-1)?.generation ?? 0) + LOOKED_FOR; generation += 1) {
    const job = await jobManager.job(jobId(`${prefix}${generation}`), signal);
    if (job !== undefined) known.push({ generation, job });
  }
  return known;
}

async function submit(flink: Flink, step: FlinkStep, jobName: string, { signal, log }: EngineContext): Promise<void> {
  if (await step.hasOutput(jobName)) {
    throw new EngineError(
      'UnsupportedError',
      `Flink's job manager has forgotten the job ${jobName}, which left output: whether all of it, nobody knows; retry the run`,
    );
  }
  const id = jobId(jobName);
  const properties = {
    '$internal.pipeline.job-id': id,
    'pipeline.name': jobName,
    // A job that never ends is no step of a run.
    'execution.runtime-mode': 'batch',
    'table.dml-sync': 'false',
  };
  try {
    await flink.gateway.execute(await step.statementsOf(jobName), properties, signal);
    log('info', `Submitted the job ${jobName}`);
  } catch (error) {
    signal.throwIfAborted();
    // Refused as a duplicate, or the answer was lost: the job manager knows.
    if ((await flink.jobManager.job(id, signal)) === undefined) throw error;
    log('info', `Found the job ${jobName}`);
  }
}
