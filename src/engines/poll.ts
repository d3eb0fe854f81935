import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../errors.ts';
import type { EngineContext } from './dataset.ts';

/** How often a job in another system is looked at, in milliseconds. */
export interface Polling {
  firstWaitMs: number;
  longestWaitMs: number;
  /** Each wait is that many times the one before. */
  factor: number;
  /** A system may be away for so long at a time; its jobs go on meanwhile. */
  patienceMs: number;
}

const DEFAULT_POLLING: Polling = { firstWaitMs: 1_000, longestWaitMs: 10_000, factor: 1.5, patienceMs: 300_000 };

/**
 * Looks until there is something, less and less often. An `UnavailableError` is no answer: a blip must not cost a job
 * that works an attempt, so it is looked again for `patienceMs`.
 *
 * @param look answers undefined while there is nothing yet
 * @throws whatever `look` throws, and `signal.reason` soon after the signal aborted
 */
export async function poll<T>(
  look: () => Promise<T | undefined>,
  { signal, log }: EngineContext,
  polling: Polling = DEFAULT_POLLING,
): Promise<T> {
  let waitMs = polling.firstWaitMs;
  let awaySinceMs: number | undefined;
  for (;;) {
    try {
      const found = await look();
      if (awaySinceMs !== undefined) log('info', `It answers again after ${secondsSince(awaySinceMs)} s`);
      awaySinceMs = undefined;
      if (found !== undefined) return found;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof EngineError) || error.type !== 'UnavailableError') throw error;
      if (awaySinceMs === undefined) log('warn', `${error.message}; looking again`);
      awaySinceMs ??= performance.now();
      if (performance.now() - awaySinceMs > polling.patienceMs) throw error;
    }
    await sleep(waitMs, undefined, { signal }).catch(() => {
      signal.throwIfAborted();
    });
    waitMs = Math.min(waitMs * polling.factor, polling.longestWaitMs);
  }
}

function secondsSince(startMs: number): number {
  return Math.round((performance.now() - startMs) / 1000);
}
