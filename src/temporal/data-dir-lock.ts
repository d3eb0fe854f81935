/**
 * One process owns DATA_DIR (spec section 1). What lies there does not lock itself: PGlite opened by two processes loses
 * acknowledged rows. Taken before anything else in the folder is opened, held until the process ends.
 */
import { mkdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../errors.ts';
import { StartupError } from '../startup-error.ts';
import { tryLock, type ExclusiveLock } from './exclusive-lock.ts';

export interface DataDirLock {
  /** The folder's real path: the same for everyone who names it, whichever way. */
  dataDir: string;
  /** Idempotent. Only for after everything in the folder is closed. */
  release(): Promise<void>;
}

/**
 * Makes the folder if need be, and locks it.
 * @throws StartupError at once when another process has it, or when it cannot be written
 */
export async function lockDataDir(dataDir: string): Promise<DataDirLock> {
  const { realDir, lock } = await openAndLock(dataDir);
  const ownerFile = join(realDir, 'owner.json');
  if (lock === undefined) {
    throw new StartupError(
      `DATA_DIR ${realDir} is in use by another process${await describeOwner(ownerFile)}. ` +
        'One process owns it at a time: stop that one, or start this one with another DATA_DIR.',
    );
  }
  await writeFile(ownerFile, JSON.stringify({ pid: process.pid, since: new Date().toISOString() }));
  return {
    dataDir: realDir,
    release: async () => {
      await rm(ownerFile, { force: true });
      lock.release();
    },
  };
}

async function openAndLock(dataDir: string): Promise<{ realDir: string; lock: ExclusiveLock | undefined }> {
  try {
    await mkdir(dataDir, { recursive: true });
    const realDir = await realpath(dataDir);
    return { realDir, lock: tryLock(join(realDir, 'lock.db')) };
  } catch (error) {
    throw new StartupError(`DATA_DIR ${dataDir} cannot be used: ${messageOf(error)}`, { cause: error });
  }
}

/** For the message only: the file may be that of an earlier owner, or half written. */
async function describeOwner(ownerFile: string): Promise<string> {
  try {
    const owner = JSON.parse(await readFile(ownerFile, 'utf8')) as { pid?: unknown; since?: unknown };
    return ` (process ${String(owner.pid)}, since ${String(owner.since)})`;
  } catch {
    return '';
  }
}
