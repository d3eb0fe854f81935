import { rm } from 'node:fs/promises';
import type { DuckDBConnection, DuckDBInstance, DuckDBMaterializedResult, DuckDBValue, Json } from '@duckdb/node-api';
import { EngineError } from '../../errors.ts';
import { duckDbError } from './duckdb-error.ts';

/** DuckDB forgets an interrupt that comes between two of its steps, so it is told again until the query has ended. */
const INTERRUPT_EVERY_MS = 25;
/** A query that is still inside one long call by then is left to end in the background, its result thrown away. */
const ABANDON_AFTER_MS = 2000;
/** Answers are for measuring and for examples; data goes from file to file. */
const MAX_ROWS = 1_000_000;

export type BoundValues = Readonly<Record<string, DuckDBValue>>;

/** One DuckDB instance of its own, while {@link DuckDbEngine.withSession} runs. Not usable afterwards. */
export interface DuckDbSession {
  /** For appenders and the like. Whatever is started on it must have ended before the session's function does. */
  readonly connection: DuckDBConnection;
  /** By name, absolute paths of the local files that each input consists of, wherever its dataset lies. */
  readonly inputFiles: ReadonlyMap<string, readonly string[]>;
  run(sql: string, parameters?: BoundValues): Promise<void>;
  /** Rows as JavaScript values: bigint for BIGINT, DuckDB's value objects for dates and the like. */
  rows(sql: string, parameters?: BoundValues): Promise<Record<string, unknown>[]>;
  /** Rows as plain JSON: numbers that JSON cannot hold exactly, dates and the like are strings. */
  rowsJson(sql: string, parameters?: BoundValues): Promise<Record<string, Json>[]>;
  /** What a SELECT would answer, without running it. */
  describe(sql: string): Promise<SelectShape>;
}

export interface SelectShape {
  /** In their order; types as DuckDB writes them (`DECIMAL(18,2)`). */
  columns: { name: string; type: string }[];
  /** Names of its placeholders. */
  parameters: string[];
}

interface Surroundings {
  instance: DuckDBInstance;
  inputFiles: ReadonlyMap<string, readonly string[]>;
  signal: AbortSignal;
  /** Ending with `/`; messages do not show them. */
  hiddenFolders: readonly string[];
  /** Where the instance puts intermediate results. */
  spill: string;
}

/** The session as the engine holds it. */
export class OpenSession implements DuckDbSession {
  readonly connection: DuckDBConnection;
  readonly inputFiles: ReadonlyMap<string, readonly string[]>;
  readonly #surroundings: Surroundings;
  readonly #signal: AbortSignal;
  readonly #running = new Set<Promise<unknown>>();
  #interrupting: NodeJS.Timeout | undefined;

  constructor(connection: DuckDBConnection, surroundings: Surroundings) {
    const { signal } = surroundings;
    this.connection = connection;
    this.inputFiles = surroundings.inputFiles;
    this.#surroundings = surroundings;
    this.#signal = signal;
    signal.addEventListener('abort', this.#interrupt, { once: true });
    if (signal.aborted) this.#interrupt();
  }

  async run(sql: string, parameters?: BoundValues): Promise<void> {
    await this.#query(sql, parameters, () => Promise.resolve());
  }

  rows(sql: string, parameters?: BoundValues): Promise<Record<string, unknown>[]> {
    return this.#query(sql, parameters, (result) => bounded(result).getRowObjects());
  }

  rowsJson(sql: string, parameters?: BoundValues): Promise<Record<string, Json>[]> {
    return this.#query(sql, parameters, (result) => bounded(result).getRowObjectsJson());
  }

  describe(sql: string): Promise<SelectShape> {
    return this.#guarded(sql, async () => {
      const prepared = await this.connection.prepare(sql);
      const shape = {
        columns: Array.from({ length: prepared.columnCount }, (_, index) => ({
          name: prepared.columnName(index),
          type: prepared.columnType(index).toString(),
        })),
        parameters: Array.from({ length: prepared.parameterCount }, (_, index) => prepared.parameterName(index + 1)),
      };
      prepared.destroySync();
      return shape;
    });
  }

  /** Whether a query is still running, which then is one that was abandoned. */
  get busy(): boolean {
    return this.#running.size > 0;
  }

  /** Waits for the last query, frees the instance and removes what it spilled. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#running);
    this.#signal.removeEventListener('abort', this.#interrupt);
    clearInterval(this.#interrupting);
    this.connection.closeSync();
    this.#surroundings.instance.closeSync();
    await rm(this.#surroundings.spill, { recursive: true, force: true });
  }

  readonly #interrupt = (): void => {
    this.connection.interrupt();
    this.#interrupting ??= setInterval(() => {
      this.connection.interrupt();
    }, INTERRUPT_EVERY_MS);
  };

  #query<T>(
    sql: string,
    parameters: BoundValues | undefined,
    read: (result: DuckDBMaterializedResult) => Promise<T>,
  ): Promise<T> {
    return this.#guarded(sql, () => this.connection.run(sql, parameters).then(read));
  }

  /** Runs one thing that `close` waits for; after an abort its outcome does not matter. */
  async #guarded<T>(sql: string, work: () => Promise<T>): Promise<T> {
    this.#signal.throwIfAborted();
    const running = work();
    this.#running.add(running);
    try {
      const answer = await this.#unlessAbandoned(running);
      this.#signal.throwIfAborted();
      return answer;
    } catch (error) {
      this.#signal.throwIfAborted();
      throw duckDbError(error, { sql, hiddenFolders: this.#surroundings.hiddenFolders });
    }
  }

  /** The query, or the reason of the abort when the query does not end soon after it. */
  #unlessAbandoned<T>(query: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      let abandon: NodeJS.Timeout | undefined;
      const onAbort = () => {
        abandon = setTimeout(() => {
          reject(this.#signal.reason as Error);
        }, ABANDON_AFTER_MS);
      };
      this.#signal.addEventListener('abort', onAbort, { once: true });
      query.then(resolve, reject).finally(() => {
        this.#running.delete(query);
        this.#signal.removeEventListener('abort', onAbort);
        clearTimeout(abandon);
      });
    });
  }
}

function bounded(result: DuckDBMaterializedResult): DuckDBMaterializedResult {
  if (result.rowCount > MAX_ROWS) {
    throw new EngineError('ValidationError', `the query answers ${result.rowCount} rows; at most ${MAX_ROWS} are read`);
  }
  return result;
}
