import { once } from 'node:events';
import type { SQLInputValue } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { EngineError } from '../../errors.ts';
import type { SqliteColumn } from './sqlite-columns.ts';
import type { TextRow } from './text-rows.ts';

/** What the thread is told to read. */
export interface ReaderTask {
  path: string;
  /** What stands in FROM. */
  relation: string;
  parameters: Record<string, SQLInputValue>;
  watermarkColumn?: string;
  watermark?: string;
  upTo?: string | null;
  fetchRows: number;
}

export type ReaderMessage =
  | { kind: 'columns'; columns: SqliteColumn[] }
  | { kind: 'rows'; rows: TextRow[] }
  | { kind: 'end'; watermark?: string }
  | { kind: 'error'; message: string; errcode?: number };

/** One SQLite file being read in a thread: {@link next} until it answers `end`, then {@link close}. */
export class SqliteReader {
  readonly #task: ReaderTask;
  readonly #signal: AbortSignal;
  #worker: Worker | undefined;

  constructor(task: ReaderTask, signal: AbortSignal) {
    this.#task = task;
    this.#signal = signal;
  }

  /** @throws EngineError for what SQLite said; `signal.reason` when aborted */
  async next(): Promise<Exclude<ReaderMessage, { kind: 'error' }>> {
    this.#signal.throwIfAborted();
    // Not before: what a thread says while nobody listens is lost.
    const worker = this.#worker ?? this.#start();
    const gone = new AbortController();
    const answer = once(worker, 'message', { signal: AbortSignal.any([this.#signal, gone.signal]) });
    // A thread that dies without a word (out of memory) must not be waited for.
    const onExit = (): void => {
      gone.abort();
    };
    worker.once('exit', onExit);
    if (this.#worker === worker) worker.postMessage('next');
    this.#worker = worker;
    try {
      const [message] = (await answer) as [ReaderMessage];
      if (message.kind === 'error') throw sqliteError(message);
      return message;
    } catch (error) {
      this.#signal.throwIfAborted();
      if (error instanceof EngineError) throw error;
      throw new EngineError('UnavailableError', 'SQLite: the reader ended unexpectedly', { cause: error });
    } finally {
      worker.off('exit', onExit);
    }
  }

  /** A thread inside a long query ends with it; nobody waits for that. */
  close(): void {
    this.#worker?.on('error', () => undefined);
    this.#worker?.unref();
    void this.#worker?.terminate();
  }

  #start(): Worker {
    return new Worker(new URL('./sqlite-reader-thread.ts', import.meta.url), { workerData: this.#task });
  }
}

/** SQLite's primary result codes (sqlite.org/rescode.html): busy, locked, out of memory, I/O, full, cannot open. */
const PASSING = new Set([5, 6, 7, 10, 13, 14]);
const NO_DATABASE = new Set([11, 26]);

function sqliteError({ message, errcode }: { message: string; errcode?: number }): EngineError {
  const primary = (errcode ?? 1) & 0xff;
  if (NO_DATABASE.has(primary)) {
    return new EngineError('ValidationError', 'SQLite: the file is no SQLite database, or a damaged one');
  }
  return new EngineError(PASSING.has(primary) ? 'UnavailableError' : 'ValidationError', `SQLite: ${message}`);
}
