/**
 * Jobs on a standalone master. What is submitted is a launcher that runs the application only when it is the first of
 * its name, so submitting again is harmless (`launcher.py`, `job-notes.ts`); which job of the step stands is read from
 * the notes in its folder, not from the master, which forgets.
 */
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EngineError } from '../../errors.ts';
import type { EngineContext } from '../dataset.ts';
import { poll, type Polling } from '../poll.ts';
import type { JobFolder } from '../job-folder.ts';
import { asciiJson } from './ascii-json.ts';
import { endOfLog } from './end-of-log.ts';
import { JobNotes, type Outcome } from './job-notes.ts';
import { sparkProperties } from './spark-properties.ts';
import {
  type FinishedSparkJob,
  outputForSpark,
  outputUri,
  type SparkJob,
  type SparkStep,
  type SparkSubmitter,
} from './spark-submitter.ts';
import { OUTCOME_FOLLOWS_WITHIN_MS, SAID_ENDED, StandaloneJob } from './standalone-job.ts';
import type { StandaloneMaster } from './standalone-master.ts';

const POLLING: Polling = { firstWaitMs: 500, longestWaitMs: 5_000, factor: 1.5, patienceMs: 300_000 };
/** Within the minute that a cancelled run gives its remote jobs. */
const STOP_POLLING: Polling = { firstWaitMs: 500, longestWaitMs: 2_000, factor: 1.5, patienceMs: 40_000 };
/** Far more than a step has attempts. */
const GENERATION_LIMIT = 1_000;

interface Generation {
  jobName: string;
  folder: JobFolder;
  notes: JobNotes;
}

export class StandaloneSubmitter implements SparkSubmitter {
  readonly #master: StandaloneMaster;

  constructor(master: StandaloneMaster) {
    this.#master = master;
  }

  async run(job: SparkJob, context: EngineContext): Promise<FinishedSparkJob> {
    const { jobName, folder, notes } = await this.#standing(job);
    const watched = new StandaloneJob(this.#master, notes, {
      jobName,
      submit: () => this.#submit(job, { jobName, folder, notes }, context),
      started: job.started,
      context,
    });
    const { state, log } = await poll(() => watched.look(), context, POLLING);
    if (state === 'done') return { jobName, url: watched.url, folder, output: outputUri(folder) };
    throw new EngineError('JobFailedError', `The Spark job ${jobName} ${SAID[state]}${endOfLog(log)}`);
  }

  async stop(step: SparkStep, context: EngineContext): Promise<void> {
    const { signal, log } = context;
    const { jobName, notes } = await this.#standing(step);
    if (await notes.close({ state: 'stopped', log: '' })) {
      // No driver of that name will run anything; those that still wait for a worker need not.
      for (const id of await notes.submissions()) await this.#master.kill(id, signal);
      return;
    }
    const claim = await notes.claim();
    if (claim === undefined || (await notes.verdict()) !== undefined) return;
    await notes.askToStop();
    log('info', `Stopping in Spark: ${jobName}, ${claim.submissionId}`);
    let endedAtMs: number | undefined;
    const ended = async (): Promise<true | undefined> => {
      // Its launcher writes it when the application has ended, which may be a moment after the driver.
      if ((await notes.outcome()) !== undefined) return true;
      if (endedAtMs !== undefined) return performance.now() - endedAtMs > OUTCOME_FOLLOWS_WITHIN_MS || undefined;
      await this.#master.kill(claim.submissionId, signal);
      const status = await this.#master.status(claim.submissionId, signal);
      if (status !== undefined && SAID_ENDED.has(status.state)) endedAtMs = performance.now();
      return undefined;
    };
    await poll(ended, context, STOP_POLLING);
  }

  /** The newest job of the step: the first one of which nobody says that it failed. */
  async #standing(step: SparkStep): Promise<Generation> {
    for (let generation = 1; generation <= GENERATION_LIMIT; generation += 1) {
      const jobName = `${step.prefix}${generation}`;
      const folder = await step.folderOf(jobName);
      const notes = new JobNotes(folder);
      const verdict = await notes.verdict();
      if (verdict?.state !== 'failed') return { jobName, folder, notes };
    }
    throw new EngineError('UnsupportedError', `the step has failed ${GENERATION_LIMIT} times in Spark`);
  }

  async #submit(job: SparkJob, { jobName, folder, notes }: Generation, context: EngineContext): Promise<string> {
    const { signal, log } = context;
    const pipeline = await job.contextOf(outputForSpark(folder));
    const properties = sparkProperties(jobName, job.conf, pipeline);
    const script = await notes.placeLauncher();
    const application = await applicationOf(job, notes);
    const request = asciiJson({ folder: folder.located(''), job: jobName, application, arguments: job.args });
    const pythonFiles = properties['spark.submit.pyFiles'] ?? '';
    const id = await this.#master.create({ script, args: [request], pythonFiles, properties }, signal);
    log('info', `Submitted to Spark: ${jobName} as ${id}`);
    return id;
  }
}

const SAID: Record<Exclude<Outcome['state'], 'done'>, string> = {
  failed: 'failed',
  stopped: 'was stopped by this service',
  killed: 'was killed in Spark',
};

/** Where the driver finds the application. */
async function applicationOf({ application }: SparkJob, notes: JobNotes): Promise<string> {
  if (application.startsWith('local:///')) return fileURLToPath(application.replace(/^local:/, 'file:'));
  if (isAbsolute(application)) return notes.placeApplication(application);
  throw new EngineError(
    'ValidationError',
    `application ${application}: expected a path, or local:///… for a file that every worker of Spark has`,
  );
}
