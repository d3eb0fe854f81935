import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { EngineError } from '../../../errors.ts';
import { isLockTrouble } from './change-conflict.ts';

/** How a lock is waited for. */
export interface LockPatience {
  /**
   * Whoever wants the table while this waits for it stands in line behind it, so it waits only so long at a time. Longer
   * than `deadlock_timeout` (1 s), after which the server takes the table from its own vacuum.
   */
  lockTimeoutMs: number;
  /** At least, between two tries; random beyond, up to four times that. */
  pauseMs: number;
  /** In all. */
  patienceMs: number;
}

export const PATIENCE: LockPatience = { lockTimeoutMs: 3_000, pauseMs: 2_000, patienceMs: 300_000 };

/**
 * Runs `work` in a transaction, and all of it again after a pause when it did not get a lock in time.
 *
 * @throws EngineError `UnavailableError` when others held the table all the time
 */
export async function inPatientTransaction<T>(
  client: pg.Client,
  { lockTimeoutMs, pauseMs, patienceMs }: LockPatience,
  { signal, log }: { signal: AbortSignal; log: (level: 'info' | 'warn', message: string) => void },
  work: () => Promise<T>,
): Promise<T> {
  const giveUpAt = performance.now() + patienceMs;
  for (let attempt = 1; ; attempt += 1) {
    await client.query('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE');
    try {
      await client.query(`SELECT set_config('lock_timeout', $1, true)`, [`${lockTimeoutMs}ms`]);
      const result = await work();
      signal.throwIfAborted();
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch(() => undefined);
      if (!isLockTrouble(error)) throw error;
      if (performance.now() + pauseMs > giveUpAt) {
        throw new EngineError(
          'UnavailableError',
          `others hold the table; it could not be locked in ${attempt} tries of ${lockTimeoutMs} ms`,
          { cause: error },
        );
      }
      log('warn', `others hold the table; trying again (${attempt})`);
    }
    await sleep(pauseMs * (1 + 3 * Math.random()), undefined, { signal }).catch(() => {
      signal.throwIfAborted();
    });
  }
}
