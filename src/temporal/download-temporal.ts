/** The download that the Temporal SDK brings along, in a process of its own that can be ended when the network hangs. */
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { outputOf } from './child-process.ts';
import { cachePlace, checkRuns, CLI_VERSION, type Report } from './temporal-binary.ts';

const TIMEOUT_MS = 3 * 60_000;

/** @returns the binary, in the cache. @throws Error when it cannot be downloaded */
export async function downloadTemporal(cacheDir: string, report: Report): Promise<string> {
  const { folder, binary } = await cachePlace(cacheDir);
  const temporary = await mkdtemp(join(folder, 'download-'));
  report('downloading Temporal, once …');
  try {
    const program = fileURLToPath(new URL('sdk-download.ts', import.meta.url));
    await outputOf(process.execPath, [program, temporary, CLI_VERSION], TIMEOUT_MS);
    const [downloaded] = await readdir(temporary);
    if (downloaded === undefined) throw new Error('the SDK kept no file');
    await checkRuns(join(temporary, downloaded));
    await rename(join(temporary, downloaded), binary);
    return binary;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
