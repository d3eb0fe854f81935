import { randomUUID } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { access, mkdir, readdir, rm, rmdir, lstat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Dataset } from './dataset.ts';
import { LocalJobFolder } from './local-job-folder.ts';
import {
  folderName,
  runFolders,
  stepFolders,
  type StagedRun,
  type StagedStep,
  type Staging,
  type StagingFolder,
} from './staging.ts';

/** Folders of this machine, or of a disk that all workers share. */
export class LocalStaging implements Staging {
  readonly #rootFolder: string;

  /** @param rootFolder absolute; made when the first folder is */
  constructor(rootFolder: string) {
    this.#rootFolder = rootFolder;
  }

  async newAttempt(at: StagedStep): Promise<StagingFolder> {
    return this.#made(at, randomUUID());
  }

  /** It lies where everybody reads it. */
  handOver(_at: StagedStep, output: Dataset): Promise<Dataset> {
    return Promise.resolve(output);
  }

  release(): Promise<void> {
    return Promise.resolve();
  }

  async ofJob(at: StagedStep, jobName: string): Promise<LocalJobFolder> {
    return new LocalJobFolder((await this.#made(at, folderName(jobName))).path);
  }

  async has({ uri }: Dataset): Promise<boolean> {
    return access(fileURLToPath(uri)).then(
      () => true,
      () => false,
    );
  }

  async dropRun(at: StagedRun): Promise<void> {
    await rm(this.#runFolder(at), { recursive: true, force: true });
    await removeEmptyParents(this.#runFolder(at));
  }

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

  async #made(at: StagedStep, name: string): Promise<StagingFolder> {
    const path = `${join(this.#rootFolder, ...stepFolders(at), name)}/`;
    await makeFolder(path);
    return { path, uri: pathToFileURL(path).href };
  }

  #runFolder(at: StagedRun): string {
    return join(this.#rootFolder, ...runFolders(at));
  }
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
