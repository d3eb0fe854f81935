/**
 * Commits of this process to one table, one after the other. The catalog's compare-and-swap is what makes a commit
 * right; taking turns only spares writers in one process the conflicts with each other.
 */
import type { IcebergCatalog } from './catalog.ts';

/** By catalog, then by the table's name: resolved when the last one that asked for a turn has ended it. */
const LAST_TURNS = new WeakMap<IcebergCatalog, Map<string, Promise<void>>>();

/** @param commit told whether another commit had to end first, so that the table may have changed */
export async function inTurn<T>(
  catalog: IcebergCatalog,
  table: string,
  signal: AbortSignal,
  commit: (waited: boolean) => Promise<T>,
): Promise<T> {
  const turns = LAST_TURNS.get(catalog) ?? new Map<string, Promise<void>>();
  LAST_TURNS.set(catalog, turns);
  const before = turns.get(table);
  const given = Promise.withResolvers<void>();
  // Also after one that gave up while it waited, the next one waits for the one before.
  const ended = Promise.all([before, given.promise]).then(() => undefined);
  turns.set(table, ended);
  try {
    if (before !== undefined) await untilAborted(before, signal);
    return await commit(before !== undefined);
  } finally {
    given.resolve();
    void ended.then(() => {
      if (turns.get(table) === ended) turns.delete(table);
    });
  }
}

/** @throws `signal.reason` */
async function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => {
    aborted.reject(signal.reason as Error);
  };
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
