/**
 * Jobs through the Spark operator. An application's name makes it one: creating it again answers 409, and then the
 * first one is adopted. Deleting an application ends its driver.
 */
import { isAbsolute } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../../errors.ts';
import type { JsonObject } from '../../schemas/json.ts';
import type { EngineContext } from '../dataset.ts';
import { poll, type Polling } from '../poll.ts';
import { endOfLog } from './end-of-log.ts';
import { JobNotes } from './job-notes.ts';
import type { KubernetesCluster, SeenApplication } from './kubernetes-cluster.ts';
import { REQUEST_ANNOTATION, sparkApplication, stepLabel } from './spark-application.ts';
import { sparkProperties } from './spark-properties.ts';
import {
  type FinishedSparkJob,
  outputForSpark,
  outputUri,
  type SparkJob,
  type SparkStep,
  type SparkSubmitter,
} from './spark-submitter.ts';

const POLLING: Polling = { firstWaitMs: 500, longestWaitMs: 5_000, factor: 1.5, patienceMs: 300_000 };
/** An application that a killed worker was just creating may appear so much later. */
const LATE_JOBS_MS = 3_000;

export class KubernetesSubmitter implements SparkSubmitter {
  readonly #cluster: KubernetesCluster;

  constructor(cluster: KubernetesCluster) {
    this.#cluster = cluster;
  }

  async run(job: SparkJob, context: EngineContext): Promise<FinishedSparkJob> {
    const { signal, log } = context;
    const found = await this.#findOrCreate(job, context);
    const jobName = found.metadata.name;
    const folder = await job.folderOf(jobName);
    let url = '';
    let state: string | undefined;
    const look = async (): Promise<SeenApplication | undefined> => {
      const seen = await this.#cluster.find(jobName, signal);
      if (seen === undefined) throw deleted(jobName);
      const { driverInfo } = seen.status;
      const shown = driverInfo?.webUIIngressAddress
        ? asUrl(driverInfo.webUIIngressAddress)
        : this.#cluster.link(jobName);
      if (shown !== url) await job.started(shown);
      url = shown;
      if (stateOf(seen) !== state) log('info', `The SparkApplication ${jobName} is ${stateOf(seen) || 'new'}`);
      state = stateOf(seen);
      return hasEnded(seen) ? seen : undefined;
    };
    const ended = await poll(look, context, POLLING);
    if (stateOf(ended) === 'COMPLETED') return { jobName, url, folder, output: outputUri(folder) };
    throw await this.#failureOf(ended, signal);
  }

  async stop({ prefix }: SparkStep, { signal, log }: EngineContext): Promise<void> {
    const deadlineMs = performance.now() + LATE_JOBS_MS;
    for (;;) {
      const working = (await this.#cluster.list(stepLabel(prefix), signal)).filter((seen) => !hasEnded(seen));
      for (const { metadata } of working) {
        if (metadata.deletionTimestamp !== undefined) continue;
        log('info', `Deleting the SparkApplication ${metadata.name}`);
        await this.#cluster.delete(metadata.name, signal);
      }
      if (working.length === 0 && performance.now() > deadlineMs) return;
      await sleep(500, undefined, { signal });
    }
  }

  /** The newest application of the step that has not failed, or one more. */
  async #findOrCreate(job: SparkJob, context: EngineContext): Promise<SeenApplication> {
    const { signal, log } = context;
    const byGeneration = (await this.#cluster.list(stepLabel(job.prefix), signal))
      .map((seen) => ({ seen, generation: Number(seen.metadata.name.slice(job.prefix.length)) }))
      .filter(({ generation }) => Number.isSafeInteger(generation) && generation > 0)
      .sort((a, b) => b.generation - a.generation);
    const standing = byGeneration.find(({ seen }) => stateOf(seen) !== 'FAILED');
    const generation = standing?.generation ?? 1 + (byGeneration[0]?.generation ?? 0);
    const jobName = `${job.prefix}${generation}`;
    const notes = new JobNotes(await job.folderOf(jobName));
    const body = await this.#requested(job, jobName, notes);
    if (standing === undefined && (await notes.submissions()).length > 0) throw deleted(jobName);
    const created = standing === undefined ? await this.#cluster.create(body, signal) : undefined;
    const application = created ?? standing?.seen ?? (await this.#cluster.find(jobName, signal));
    if (application === undefined) {
      throw new EngineError('UnavailableError', `Kubernetes refused ${jobName} as its second, and has no first`);
    }
    await notes.submitted(application.metadata.uid);
    if (created === undefined) checkSame(application, body);
    log('info', `${created ? 'Created' : 'Found'} the SparkApplication ${this.#cluster.namespace}/${jobName}`);
    return application;
  }

  async #requested(job: SparkJob, jobName: string, notes: JobNotes): Promise<JsonObject> {
    const pipeline = await job.contextOf(outputForSpark(await job.folderOf(jobName)));
    const mainFile = isAbsolute(job.application) ? await placed(job.application, notes) : job.application;
    const properties = sparkProperties(jobName, job.conf, pipeline);
    return sparkApplication({ name: jobName, prefix: job.prefix, mainFile, args: job.args, properties });
  }

  async #failureOf({ metadata, status }: SeenApplication, signal: AbortSignal): Promise<EngineError> {
    const { applicationState, driverInfo } = status;
    const why = applicationState?.errorMessage === undefined ? '' : `: ${applicationState.errorMessage}`;
    const told = [`The SparkApplication ${metadata.name} failed${why}`];
    try {
      const log = driverInfo?.podName && (await this.#cluster.endOfLog(driverInfo.podName, signal));
      if (log) told.push(endOfLog(log));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof EngineError)) throw error;
      told.push(`\n(its log cannot be had: ${error.message})`);
    }
    return new EngineError('JobFailedError', told.join(''));
  }
}

/** Drivers see the staging volume at the same path as this service, or read S3. */
async function placed(application: string, notes: JobNotes): Promise<string> {
  const path = await notes.placeApplication(application);
  return isAbsolute(path) ? `local://${path}` : path;
}

function stateOf({ status }: SeenApplication): string {
  return status.applicationState?.state ?? '';
}

/** SUBMISSION_FAILED and FAILING are on their way to FAILED; of UNKNOWN nobody says that it failed. */
function hasEnded(seen: SeenApplication): boolean {
  return stateOf(seen) === 'COMPLETED' || stateOf(seen) === 'FAILED';
}

function checkSame({ metadata }: SeenApplication, body: JsonObject): void {
  const { annotations } = body['metadata'] as { annotations: Record<string, string> };
  if (metadata.annotations[REQUEST_ANNOTATION] === annotations[REQUEST_ANNOTATION]) return;
  throw new EngineError(
    'ValidationError',
    `Kubernetes has a SparkApplication ${metadata.name} that asks for something else than this step`,
  );
}

/** Its end is not known, and it may have done all of its work. */
function deleted(jobName: string): EngineError {
  return new EngineError(
    'UnsupportedError',
    `the SparkApplication ${jobName} was deleted, so nobody can tell how it ended; retry the run`,
  );
}

function asUrl(address: string): string {
  return /^https?:\/\//.test(address) ? address : `http://${address}`;
}
