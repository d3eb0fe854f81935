/** A folder in staging that says what a job of ours works on, with the programs that do it: the cluster has neither. */
import { randomUUID } from 'node:crypto';
import { copyFile, link, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ComputeWork } from './spark-compute.ts';

const WORK = 'work.json';

/** Undefined while nobody has written it. */
export async function readWork(folder: string): Promise<ComputeWork | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, WORK), 'utf8')) as ComputeWork;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Writes it unless somebody was faster; answers what stands there. */
export async function placeWork(folder: string, work: ComputeWork): Promise<ComputeWork | undefined> {
  for (const name of await readdir(import.meta.dirname)) {
    if (name.endsWith('.py')) {
      await put(join(folder, name), (temporary) => copyFile(join(import.meta.dirname, name), temporary));
    }
  }
  // Last: whoever finds it finds the programs, too.
  await put(join(folder, WORK), (temporary) => writeFile(temporary, JSON.stringify(work), { flush: true }));
  return readWork(folder);
}

/** Whole or not at all, and never over another one. */
async function put(path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  try {
    await write(temporary);
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}
