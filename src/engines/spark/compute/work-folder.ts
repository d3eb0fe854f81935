/** What a job of ours works on, in its folder in staging, with the programs that do it: the cluster has neither. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobFolder } from '../../job-folder.ts';
import type { ComputeWork } from './spark-compute.ts';

const WORK = 'work.json';

/** Undefined while nobody has written it. */
export async function readWork(folder: JobFolder): Promise<ComputeWork | undefined> {
  const text = await folder.read(WORK);
  return text === undefined ? undefined : (JSON.parse(text) as ComputeWork);
}

/** Writes it unless somebody was faster; answers what stands there. */
export async function placeWork(folder: JobFolder, work: ComputeWork): Promise<ComputeWork | undefined> {
  for (const name of await readdir(import.meta.dirname)) {
    if (name.endsWith('.py')) await folder.putIfAbsent(name, await readFile(join(import.meta.dirname, name)));
  }
  // Last: whoever finds it finds the programs, too.
  await folder.putIfAbsent(WORK, JSON.stringify(work));
  return readWork(folder);
}
