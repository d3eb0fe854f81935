/**
 * A commit of maintenance, done once whoever is killed: what it left is looked for in the very metadata that each try is
 * based on, before it is tried, and again after an answer that was lost. The same promise as `commit-load.ts` makes for rows.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError, messageOf } from '../../../errors.ts';
import type { EngineContext } from '../../dataset.ts';
import {
  CommitConflict,
  CommitRefused,
  type IcebergCatalog,
  type LoadedTable,
  type TableIdentifier,
} from '../catalog.ts';
import { deleteFiles } from '../commit-load.ts';
import type { TableRequirement, TableUpdate } from '../table-changes.ts';

const MAX_TRIES = 100;
const BACKOFF = { firstMs: 20, mostMs: 2000 };
/** After so many commits of unknown outcome the attempt ends; the next one begins with looking. */
const MAX_DOUBTS = 3;
const DOUBT_BACKOFF = { firstMs: 1000, mostMs: 8000 };

export interface PreparedCommit {
  requirements: TableRequirement[];
  updates: TableUpdate[];
  /** URIs of what was written for this commit alone; deleted when it surely does not happen. */
  written: readonly string[];
}

export interface NamedCommit<T> {
  catalog: IcebergCatalog;
  identifier: TableIdentifier;
  /** What the commit left, if it happened before. */
  find: (table: LoadedTable) => T | undefined;
  /** Undefined when there is nothing to commit (any more). */
  prepare: (table: LoadedTable) => Promise<PreparedCommit | undefined>;
  /** Called when nobody knows whether a commit happened: nothing that it names may be deleted from now on. */
  doubted: () => void;
}

/**
 * @returns the table with what the commit left in it; undefined when there was nothing to commit
 * @throws EngineError `ValidationError` when there is no such table; `CommitConflictError` when others kept winning;
 *   `UnavailableError` when nobody could find out
 */
export async function commitNamed<T>(
  { catalog, identifier, find, prepare, doubted }: NamedCommit<T>,
  { signal, log }: Pick<EngineContext, 'signal' | 'log'>,
): Promise<{ table: LoadedTable; left: T } | undefined> {
  let doubts = 0;
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    signal.throwIfAborted();
    const table = await requireTable(catalog, identifier);
    const before = find(table);
    if (before !== undefined) return { table, left: before };
    const prepared = await prepare(table);
    if (prepared === undefined) return undefined;
    const { requirements, updates, written } = prepared;
    if (signal.aborted) await deleteFiles(written, table.io);
    signal.throwIfAborted();
    let doubt: unknown;
    try {
      const committed = await catalog.commitTable(identifier, requirements, updates);
      const left = find(committed);
      if (left === undefined) throw new TypeError('a commit did not leave what it is found by');
      return { table: committed, left };
    } catch (error) {
      if (error instanceof CommitConflict || error instanceof CommitRefused) {
        await deleteFiles(written, table.io);
        if (error instanceof CommitRefused) throw error.cause;
        await backOff(BACKOFF, tries, signal);
        continue;
      }
      doubt = error;
    }
    doubted();
    doubts += 1;
    log('warn', `nobody knows whether the commit happened (${messageOf(doubt)}); looking it up`);
    await backOff(DOUBT_BACKOFF, doubts, signal);
    if (doubts >= MAX_DOUBTS) {
      const now = await requireTable(catalog, identifier);
      const found = find(now);
      if (found !== undefined) return { table: now, left: found };
      const message = `nobody knows whether the commit happened; the next attempt looks it up: ${messageOf(doubt)}`;
      throw new EngineError('UnavailableError', message, { cause: doubt });
    }
  }
  throw new EngineError('CommitConflictError', `others committed first, ${MAX_TRIES} times in a row`);
}

/** @throws EngineError `ValidationError` when it is not there */
export async function requireTable(catalog: IcebergCatalog, identifier: TableIdentifier): Promise<LoadedTable> {
  const table = await catalog.loadTable(identifier);
  if (table !== undefined) return table;
  const name = [...identifier.namespace, identifier.name].join('.');
  throw new EngineError('ValidationError', `there is no table ${name}`);
}

/** Random, so that writers that met once do not meet again. */
async function backOff(wait: typeof BACKOFF, times: number, signal: AbortSignal): Promise<void> {
  const mostMs = Math.min(wait.mostMs, wait.firstMs * 2 ** times);
  await sleep(Math.random() * mostMs, undefined, { signal }).catch(() => {
    signal.throwIfAborted();
  });
}
