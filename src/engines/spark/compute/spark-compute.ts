/**
 * The work of a step as a Spark job of ours (`run_step.py` and the modules beside it), for pipelines with `compute: spark`.
 * What a job is to do is written down once, in staging: an attempt that adopts the job reads there what it does.
 */
import { join } from 'node:path';
import * as z from 'zod';
import { EngineError } from '../../../errors.ts';
import type { JsonObject } from '../../../schemas/json.ts';
import type { EngineContext } from '../../dataset.ts';
import type { JobFolder } from '../../job-folder.ts';
import type { SparkStep, SparkSubmitter } from '../spark-submitter.ts';
import { placeWork, readWork } from './work-folder.ts';

export interface ComputeStep {
  executionId: string;
  /** `transform:daily` */
  step: string;
  /** What the names of the jobs start with that do the step's n-th piece of work, from 1; nearly all have one piece. */
  prefixOf: (piece: number) => string;
  /** A folder of the step in staging, the same one in every attempt. */
  folderOf: (name: string) => Promise<JobFolder>;
  started: (url: string) => Promise<void>;
}

/** What `run_step.py` is told: the name of a program, and what that one takes. */
export type ComputeWork = JsonObject & { program: string };

export interface ComputedWork<Work extends ComputeWork> {
  /** Of the job, which another attempt may have submitted. */
  work: Work;
  /** Of the job; its output lies in `output/` there. */
  folder: JobFolder;
  /** URI of that output, ends with `/`. */
  output: string;
  url: string;
}

const fault = z.object({ type: z.enum(['ValidationError', 'UnsupportedError']), message: z.string() });

export class SparkCompute {
  readonly #submitter: SparkSubmitter;
  readonly #conf: Readonly<Record<string, string>>;

  /** @param conf Spark's properties of every job: SPARK_COMPUTE_CONF */
  constructor(submitter: SparkSubmitter, conf: Readonly<Record<string, string>>) {
    this.#submitter = submitter;
    this.#conf = conf;
  }

  /**
   * Does the step's n-th piece of work, or finds it done.
   *
   * @param describe asked when no attempt has said yet what the work is
   * @throws EngineError what `SparkSubmitter.run` throws; `ValidationError` or `UnsupportedError` when the work cannot be
   *   done, however often
   */
  async run<Work extends ComputeWork>(
    step: ComputeStep,
    describe: () => Promise<Work>,
    context: EngineContext,
    piece = 1,
  ): Promise<ComputedWork<Work>> {
    const { executionId, step: name, started } = step;
    const folder = await workFolder(step, piece);
    const work = ((await readWork(folder)) ?? (await placeWork(folder, await describe()))) as Work;
    const {
      folder: job,
      output,
      url,
    } = await this.#submitter.run(
      {
        ...jobsOf(step, piece),
        application: join(import.meta.dirname, 'run_step.py'),
        args: [folder.located('')],
        conf: this.#conf,
        contextOf: (outputUri) => Promise.resolve({ executionId, step: name, output: outputUri }),
        started,
      },
      context,
    );
    await throwFault(job);
    return { work, folder: job, output, url };
  }

  /** Ends whatever the step has left working. Doing it again, or when there is nothing, is harmless. */
  async stop(step: ComputeStep, context: EngineContext): Promise<void> {
    let piece = 1;
    do {
      // The first one also when nobody has said yet what the work is: an attempt that is cut off may still submit it.
      await this.#submitter.stop(jobsOf(step, piece), context);
      piece += 1;
    } while ((await readWork(await workFolder(step, piece))) !== undefined);
  }
}

function jobsOf({ prefixOf, folderOf }: ComputeStep, piece: number): SparkStep {
  return { prefix: prefixOf(piece), folderOf };
}

function workFolder({ folderOf }: ComputeStep, piece: number): Promise<JobFolder> {
  return folderOf(`work-${piece}`);
}

async function throwFault(job: JobFolder): Promise<void> {
  const text = await job.read('output/fault.json');
  if (text === undefined) return;
  const { type, message } = fault.parse(JSON.parse(text));
  throw new EngineError(type, message);
}
