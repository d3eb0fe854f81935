/** Where steps leave data for the next: on disks that all workers share (`local-staging.ts`), or on S3 (`s3/s3-staging.ts`). */
import { createHash } from 'node:crypto';
import type { Dataset } from './dataset.ts';
import type { JobFolder } from './job-folder.ts';

/** One run: the folder that holds everything its steps hand to each other. */
export interface StagedRun {
  tenant: string;
  pipelineId: string;
  executionId: string;
}

/** `extract:flights`, `transform:daily` and the like. */
export type StagedStep = StagedRun & { step: string };

/** One attempt's own folder. */
export interface StagingFolder {
  /** On this machine; absolute, ends with `/`. */
  path: string;
  /** `file:///…/` */
  uri: string;
}

/**
 * Laid out as `<tenant>/<pipelineId>/<executionId>/<step>` (spec section 1), and below that a folder for each attempt, so
 * that an attempt thought lost can never disturb its successor.
 */
export interface Staging {
  /** Makes a new empty folder on this machine, in which an attempt alone leaves its output. */
  newAttempt(at: StagedStep): Promise<StagingFolder>;
  /** Makes an attempt's output what every worker can read; answers it as the next steps find it. */
  handOver(at: StagedStep, output: Dataset, signal: AbortSignal): Promise<Dataset>;
  /** The attempt is over: nobody needs what its folder still holds on this machine alone. */
  release(folder: StagingFolder): Promise<void>;
  /**
   * The folder that a job in another system writes to. It follows from the job's name alone, so that an attempt that
   * adopts the job knows it, too.
   */
  ofJob(at: StagedStep, jobName: string): Promise<JobFolder>;
  /** Whether an output is still there. */
  has(output: Dataset): Promise<boolean>;
  /** Removes all that a run staged. Doing it again is harmless. */
  dropRun(at: StagedRun): Promise<void>;
  /** Removes the runs that nobody wrote to for so long; how many they were. */
  expire(olderThanMs: number): Promise<number>;
}

/** What a folder may be called as it is; anything else gets a name made from its hash. */
const PLAIN_NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/;

/** The folders of a run, from the tenant's down. */
export function runFolders({ tenant, pipelineId, executionId }: StagedRun): string[] {
  return [tenant, pipelineId, executionId].map(folderName);
}

/** Those of a step. A colon in a path stops Hadoop's file systems; kinds hold no `-`, so two steps never meet in one name. */
export function stepFolders(at: StagedStep): string[] {
  return [...runFolders(at), folderName(at.step.replace(':', '-'))];
}

/** A tenant's name comes from its identity provider and may hold anything, `../` too. */
export function folderName(name: string): string {
  if (PLAIN_NAME.test(name)) return name;
  return `~${createHash('sha256').update(name).digest('hex').slice(0, 40)}`;
}
