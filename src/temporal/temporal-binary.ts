/** Which Temporal CLI we obtain when there is none, and where it is kept: outside the work tree, for all checkouts. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { outputOf } from './child-process.ts';

/** Its server is 1.32; the module in `build/` is made for exactly this one. */
export const CLI_VERSION = '1.8.2';

const VERSION_TIMEOUT_MS = 20_000;

/** Tells the person who waits what is going on, a line at a time. */
export type Report = (line: string) => void;

/** @returns the folder of the cached binary, which exists then, and the binary's path, which may not */
export async function cachePlace(cacheDir: string): Promise<{ folder: string; binary: string }> {
  const folder = join(cacheDir, `temporal-cli-${CLI_VERSION}`);
  await mkdir(folder, { recursive: true });
  return { folder, binary: join(folder, 'temporal') };
}

/** Whether this is a Temporal CLI that runs here. @throws Error that says why not */
export async function checkRuns(binary: string): Promise<void> {
  const output = await outputOf(binary, ['--version'], VERSION_TIMEOUT_MS);
  if (!output.startsWith('temporal version')) throw new Error(`${binary} --version printed ${output.slice(0, 80)}`);
}
