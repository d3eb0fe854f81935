import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Runs what writes into a folder of its own and empties the folder when that fails: a full disk must not stay full of
 * what nobody will read. What a killed process leaves goes with the run's staging.
 */
export async function clearedOnFailure<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const names = await readdir(folder).catch(() => []);
    // The failure is what is told, not that something could not be removed.
    await Promise.allSettled(names.map((name) => rm(join(folder, name), { force: true })));
    throw error;
  }
}
