import { createHash, randomUUID } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { mkdir, readdir, rm, rmdir, lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** One run: the folder that holds everything its steps hand to each other. */
export interface StagedRun {
  tenant: string;
  pipelineId: string;
  executionId: string;
}

/** One attempt's own folder. */
export interface StagingFolder {
  /** Absolute, ends with `/`. */
  path: string;
  /** `file:///…/` */
  uri: string;
}

/** What a folder may be called as it is; anything else gets a name made from its hash. */
const PLAIN_NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/;

/**
 * Where steps leave data for the next: `<tenant>/<pipelineId>/<executionId>/<step>` (spec section 1), and below that a
 * folder for each attempt, so that an attempt thought lost can never disturb its successor.
 */
export class Staging {
  readonly #rootFolder: string;

  /** @param rootFolder absolute; made when the first folder is */
  constructor(rootFolder: string) {
    this.#rootFolder = rootFolder;
  }

  /** Makes a new empty folder that nobody else writes to. `step` is `extract:flights`, `transform:daily` and the like. */
  async newAttempt(at: StagedRun & { step: string }): Promise<StagingFolder> {
    return this.#made(at, randomUUID());
  }

  /**
   * The folder that a job in another system writes to. It follows from the job's name alone, so that an attempt that
   * adopts the job knows it, too.
   */
  async ofJob(at: StagedRun & { step: string }, jobName: string): Promise<StagingFolder> {
    return this.#made(at, folderName(jobName));
  }

  /** Removes all that a run staged. Doing it again is harmless. */
  async dropRun(at: StagedRun): Promise<void> {
    await rm(this.#runFolder(at), { recursive: true, force: true });
    await removeEmptyParents(this.#runFolder(at));
  }

  /** Removes the runs that nobody wrote to for so long; how many they were. */
  async expire(olderThanMs: number): Promise<number> {
    const newestToDropMs = Date.now() - olderThanMs;
    let dropped = 0;
    for (const tenant of await foldersIn(this.#rootFolder)) {
      for (const pipeline of await foldersIn(tenant)) {
        for (const run of await foldersIn(pipeline)) {
          if ((await lastWriteMs(run)) > newestToDropMs) continue;
          await rm(run, { recursive: true, force: true });
          await removeEmptyParents(run);
          dropped += 1;
        }
      }
    }
    return dropped;
  }

  async #made(at: StagedRun & { step: string }, name: string): Promise<StagingFolder> {
    // A colon in a path stops Hadoop's file systems; steps' kinds hold no `-`, so two steps never meet in one name.
    const path = `${join(this.#runFolder(at), folderName(at.step.replace(':', '-')), name)}/`;
    await makeFolder(path);
    return { path, uri: pathToFileURL(path).href };
  }

  #runFolder(at: StagedRun): string {
    return join(this.#rootFolder, folderName(at.tenant), folderName(at.pipelineId), folderName(at.executionId));
  }
}

/** A tenant's name comes from its identity provider and may hold anything, `../` too. */
function folderName(name: string): string {
  if (PLAIN_NAME.test(name)) return name;
  return `~${createHash('sha256').update(name).digest('hex').slice(0, 40)}`;
}

/** A parent may be removed as empty by another run's end between being made and being used: then it is made again. */
async function makeFolder(path: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await mkdir(path, { recursive: true });
      return;
    } catch (error) {
      if (attempt === 5 || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

/** Of a run's folder: its pipeline's and its tenant's. Removing fails where another run lives, as it should. */
async function removeEmptyParents(runFolder: string): Promise<void> {
  const pipelineFolder = dirname(runFolder);
  await rmdir(pipelineFolder).catch(() => undefined);
  await rmdir(dirname(pipelineFolder)).catch(() => undefined);
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  return readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
}

async function foldersIn(folder: string): Promise<string[]> {
  return (await entriesOf(folder)).filter((entry) => entry.isDirectory()).map((entry) => join(folder, entry.name));
}

/** Milliseconds since 1970 of the newest file or folder in the tree; 0 when it is gone. */
async function lastWriteMs(folder: string): Promise<number> {
  const self = await lstat(folder).catch(() => undefined);
  let newestMs = self?.mtimeMs ?? 0;
  for (const entry of await entriesOf(folder)) {
    const path = join(folder, entry.name);
    const writtenMs = entry.isDirectory()
      ? await lastWriteMs(path)
      : ((await lstat(path).catch(() => undefined))?.mtimeMs ?? 0);
    newestMs = Math.max(newestMs, writtenMs);
  }
  return newestMs;
}
