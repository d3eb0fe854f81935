/**
 * What engine tests install once on a machine, outside the work tree: in `$XDG_CACHE_HOME/pipeline-service/<name>-<hash
 * of what it is made from>`. It is built in a folder of its own and then renamed, so that a killed or a racing build
 * never shows half of it under the name.
 */
import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const STEP_WITHIN_MS = 15 * 60_000;

export interface CachedBuild {
  name: string;
  /** Paths of the files that say what is built: with other contents, something else is. */
  madeFrom: string[];
  /** Fills an empty folder. */
  build: (folder: string, run: (program: string, args: string[]) => Promise<void>) => Promise<void>;
}

/** The folder with what was built, now or long ago. */
export async function cachedBuild({ name, madeFrom, build }: CachedBuild): Promise<string> {
  const hash = createHash('sha256');
  for (const file of madeFrom) hash.update(await readFile(file));
  const cache = path.join(process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'pipeline-service');
  const folder = path.join(cache, `${name}-${hash.digest('hex').slice(0, 16)}`);
  if (await exists(folder)) return folder;
  const building = `${folder}.building-${randomUUID()}`;
  await mkdir(building, { recursive: true });
  try {
    await build(building, runStep);
    await rename(building, folder).catch(async (error: unknown) => {
      // Another process was quicker; what it built is the same.
      if (!(await exists(folder))) throw error;
    });
    return folder;
  } finally {
    await rm(building, { recursive: true, maxRetries: 20, retryDelay: 200, force: true });
  }
}

async function exists(folder: string): Promise<boolean> {
  return access(folder).then(
    () => true,
    () => false,
  );
}

async function runStep(program: string, args: string[]): Promise<void> {
  const options = { timeout: STEP_WITHIN_MS, maxBuffer: 64 * 1024 * 1024 };
  await promisify(execFile)(program, args, options).catch((error: unknown) => {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    const said = (stdout + stderr).slice(-4_000);
    throw new Error(`The engine tests need ${program}, which failed at ${args.slice(0, 3).join(' ')}:\n${said}`, {
      cause: error,
    });
  });
}
