import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { EngineError } from '../../errors.ts';

const LOCK_SUFFIX = '.lock';
const MAX_ATTEMPTS = 10;

/**
 * This process's own folder for intermediate results, and the end of those that killed processes left.
 *
 * Beside each process's folder lies a SQLite file that it holds locked: the operating system drops the lock with the
 * process, whatever ended it, so a folder whose file can be locked is nobody's. Process ids would not do: containers
 * that share a volume do not share them.
 */
export class SpillFolder {
  readonly path: string;
  readonly #lock: DatabaseSync;

  private constructor(path: string, lock: DatabaseSync) {
    this.path = path;
    this.#lock = lock;
  }

  /** @param root absolute; shared by all processes on this data folder */
  static async open(root: string): Promise<SpillFolder> {
    await mkdir(root, { recursive: true, mode: 0o700 });
    await removeLeftovers(root);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const path = join(root, randomUUID());
      const lock = tryLock(path + LOCK_SUFFIX);
      // A process that swept between the file's making and its locking took it for a leftover: take another name.
      if (lock === undefined) continue;
      if (!(await exists(path + LOCK_SUFFIX))) {
        lock.close();
        continue;
      }
      await mkdir(path, { mode: 0o700 });
      return new SpillFolder(path, lock);
    }
    throw new EngineError(
      'UnavailableError',
      'the spill folder cannot be locked; does its file system have file locks?',
    );
  }

  async close(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
    await rm(this.path + LOCK_SUFFIX, { force: true });
    this.#lock.close();
  }
}

async function removeLeftovers(root: string): Promise<void> {
  const names = new Set((await readdir(root)).map((name) => name.replace(/\.lock(-journal)?$/, '')));
  for (const name of names) {
    const path = join(root, name);
    const lock = tryLock(path + LOCK_SUFFIX);
    if (lock === undefined) continue;
    await rm(path, { recursive: true, force: true });
    await rm(path + LOCK_SUFFIX, { force: true });
    lock.close();
  }
}

/** The locked file, or undefined when another process holds it. */
function tryLock(path: string): DatabaseSync | undefined {
  const database = new DatabaseSync(path);
  try {
    database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return database;
  } catch {
    database.close();
    return undefined;
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
