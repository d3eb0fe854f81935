import type { Logger } from 'pino';
import { messageOf } from '../errors.ts';
import type { LogRepository } from '../store/logs.ts';

const FLUSH_AFTER_MS = 500;
/** Lines that wait for the store; more than that are only in the process's own log. */
const BUFFER_LIMIT = 1000;

interface Line {
  at: Date;
  level: 'info' | 'warn' | 'error';
  message: string;
}

/** The log of one attempt of a step: to the process's log at once, to the store in batches. */
export class StepLog implements AsyncDisposable {
  readonly #store: LogRepository;
  readonly #at: readonly [executionId: string, step: string, attempt: number];
  readonly #logger: Logger;
  #lines: Line[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(store: LogRepository, executionId: string, step: string, attempt: number, logger: Logger) {
    this.#store = store;
    this.#at = [executionId, step, attempt];
    this.#logger = logger;
  }

  write(level: Line['level'], message: string): void {
    this.#logger[level](message);
    if (this.#lines.length < BUFFER_LIMIT) this.#lines.push({ at: new Date(), level, message });
    this.#timer ??= setTimeout(() => void this.#flush(), FLUSH_AFTER_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#flush();
  }

  /** A log that cannot be stored is no reason to fail the step. */
  async #flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const lines = this.#lines;
    if (lines.length === 0) return;
    this.#lines = [];
    try {
      await this.#store.append(...this.#at, lines);
    } catch (error) {
      this.#logger.warn({ reason: messageOf(error), lines: lines.length }, 'step log not stored');
    }
  }
}
