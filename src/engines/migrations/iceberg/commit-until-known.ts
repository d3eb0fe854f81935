import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError, messageOf } from '../../../errors.ts';
import {
  CommitConflict,
  CommitRefused,
  type IcebergCatalog,
  type LoadedTable,
  type TableIdentifier,
} from '../../iceberg/catalog.ts';
import type { TableRequirement, TableUpdate } from '../../iceberg/table-changes.ts';

const MAX_ATTEMPTS = 100;
const MAX_DOUBTS = 3;
const BACKOFF = { firstMs: 20, mostMs: 2_000 };
/** The catalog may still be at it. */
const DOUBT_BACKOFF = { firstMs: 1_000, mostMs: 8_000 };

/** What is to be done with the table as it was read: nothing any more, with an answer, or a commit and its answer. */
export type NextStep<T> =
  | { done: T }
  | {
      requirements: TableRequirement[];
      updates: TableUpdate[];
      answer: T;
      /** URIs of the files that were written for it. */
      files?: readonly string[];
    };

interface TableToCommit {
  catalog: IcebergCatalog;
  identifier: TableIdentifier;
  signal: AbortSignal;
  /** Told the files of a commit that happened, or may have; those of others can be deleted. */
  keep: (files: readonly string[]) => void;
}

/**
 * Reads the table, asks what is to be done, and commits that; when others came first, or nobody knows whether the commit
 * happened, all over again on what is there then, where `decide` finds its own work by name.
 *
 * @throws EngineError `ValidationError` when there is no such table; `CommitConflictError`, `UnavailableError` when it
 *   did not come to an end
 */
export async function commitUntilKnown<T>(
  { catalog, identifier, signal, keep }: TableToCommit,
  decide: (table: LoadedTable) => NextStep<T> | Promise<NextStep<T>>,
): Promise<T> {
  let doubts = 0;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    signal.throwIfAborted();
    const table = await loadOrRefuse(catalog, identifier);
    const next = await decide(table);
    if ('done' in next) return next.done;
    signal.throwIfAborted();
    try {
      await catalog.commitTable(identifier, next.requirements, next.updates);
      keep(next.files ?? []);
      return next.answer;
    } catch (error) {
      if (error instanceof CommitRefused) throw error.cause;
      if (!(error instanceof CommitConflict)) {
        keep(next.files ?? []);
        doubts += 1;
        if (doubts === MAX_DOUBTS) {
          const message = `nobody knows whether the table was changed, the next attempt looks: ${messageOf(error)}`;
          throw new EngineError('UnavailableError', message, { cause: error });
        }
      }
      const [wait, times] = error instanceof CommitConflict ? [BACKOFF, attempt] : [DOUBT_BACKOFF, doubts];
      const mostMs = Math.min(wait.mostMs, wait.firstMs * 2 ** times);
      await sleep(Math.random() * mostMs, undefined, { signal }).catch(() => {
        signal.throwIfAborted();
      });
    }
  }
  throw new EngineError('CommitConflictError', `others changed the table first, ${MAX_ATTEMPTS} times in a row`);
}

/** @throws EngineError `ValidationError` */
export async function loadOrRefuse(catalog: IcebergCatalog, identifier: TableIdentifier): Promise<LoadedTable> {
  const table = await catalog.loadTable(identifier);
  if (table !== undefined) return table;
  const name = [...identifier.namespace, identifier.name].join('.');
  throw new EngineError('ValidationError', `table: there is no table ${name}`);
}
