/**
 * A Python environment with exactly what a requirements file pins, made once a machine, outside the work tree, in
 * `$XDG_CACHE_HOME/pipeline-service/<name>-<hash>`. It is built under another name and renamed when it is whole.
 */
import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const STEP_WITHIN_MS = 10 * 60_000;

export interface PinnedEnvironment {
  /** `dbt-…` */
  name: string;
  /** Absolute; pip's format, everything that is needed by name and version. */
  requirements: string;
  /** What a whole environment runs without an error, with its folder's `bin` in front. */
  check: [program: string, ...args: string[]];
  /** Further steps in the new environment's folder. */
  finish?: (folder: string) => Promise<void>;
}

/** @returns the environment's folder, with its programs in `bin` */
export async function pinnedEnvironment({ name, requirements, check, finish }: PinnedEnvironment): Promise<string> {
  const { stdout: version } = await run('python3', ['--version']);
  const hash = createHash('sha256')
    .update(version)
    .update(await readFile(requirements));
  const cache = path.join(process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'pipeline-service');
  const folder = path.join(cache, `${name}-${hash.digest('hex').slice(0, 16)}`);
  if (await isWhole(folder, check)) return folder;
  await mkdir(cache, { recursive: true });
  await rm(folder, { recursive: true, maxRetries: 20, retryDelay: 200, force: true });
  const building = `${folder}.building-${randomUUID()}`;
  try {
    const limits = { timeout: STEP_WITHIN_MS, maxBuffer: 64e6 };
    await run('python3', ['-m', 'venv', building], limits);
    const install = ['-m', 'pip', 'install', '--quiet', '--no-input', '--no-deps', '--no-build-isolation'];
    const python = path.join(building, 'bin/python');
    await run(python, [...install, 'setuptools==80.9.0', 'packaging==26.3', 'wheel==0.48.0'], limits);
    await run(python, [...install, '--requirement', requirements], limits);
    await finish?.(building);
    await relocate(building, folder);
  } finally {
    await rm(building, { recursive: true, maxRetries: 20, retryDelay: 200, force: true });
  }
  if (!(await isWhole(folder, check))) throw new Error(`${folder} cannot be used although it was just built`);
  return folder;
}

async function isWhole(folder: string, [program, ...args]: PinnedEnvironment['check']): Promise<boolean> {
  return run(path.join(folder, 'bin', program), args, { timeout: 60_000 }).then(
    () => true,
    () => false,
  );
}

/** Scripts name the interpreter by its path, which moves. */
async function relocate(building: string, folder: string): Promise<void> {
  const bin = path.join(building, 'bin');
  await run('sh', ['-c', 'grep -rlI --null "$0" "$2" | xargs -0 sed -i "s|$0|$1|g"', building, folder, bin]);
  await rename(building, folder).catch((error: unknown) => {
    // Another process was quicker.
    if (!/^(ENOTEMPTY|EEXIST)$/.test(String((error as NodeJS.ErrnoException).code))) throw error;
  });
}
