/**
 * A lock that one process of the machine holds and that the operating system releases however that process ends,
 * SIGKILL included: SQLite's exclusive lock on a small database file. Nobody else may open that file.
 */
import { DatabaseSync } from 'node:sqlite';

export interface ExclusiveLock {
  release(): void;
}

/** Locks that are held: a collected database object would be closed, which releases its lock. */
const held = new Set<DatabaseSync>();

/** @returns undefined, at once, when another process (or another caller in this one) holds the lock */
export function tryLock(file: string): ExclusiveLock | undefined {
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
  held.add(database);
  return {
    release: () => {
      if (held.delete(database)) database.close();
    },
  };
}

/** SQLITE_BUSY, or one of its extended codes (https://sqlite.org/rescode.html). */
function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === 5;
}
