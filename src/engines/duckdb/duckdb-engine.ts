import { statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EngineError } from '../../errors.ts';
import type { Dataset } from '../dataset.ts';
import { holdAll, type DatasetCopies } from './dataset-copies.ts';
import { datasetFiles } from './dataset-files.ts';
import { OpenSession, type DuckDbSession } from './duckdb-session.ts';
import { MemoryLeases } from './memory-leases.ts';
import { quoteIdentifier, quoteLiteral } from './quote.ts';
import { SpareInstance } from './spare-instance.ts';
import { SpillFolder } from './spill-folder.ts';

export type { DuckDbSession } from './duckdb-session.ts';

export interface DuckDbOptions {
  /** For all sessions of the process together. */
  memoryLimitBytes: number;
  /** Of each session. */
  threads: number;
  /** Absolute. The engine's own: made when missing, cleared of what killed processes left. */
  spillFolder: string;
  /** For inputs that lie elsewhere; without it, they must be local. */
  copies?: DatasetCopies;
}

export interface SessionRequest {
  /** Aborting interrupts the running query; the session's calls then throw `signal.reason`. */
  signal: AbortSignal;
  /** Each is a view of that name. Files taken by reference are verified before and after. */
  inputs?: Readonly<Record<string, Dataset>>;
  /** Further absolute file paths, or folders ending with `/`, that may be read. */
  readable?: readonly string[];
  /** Absolute folders (ending with `/`) or files that COPY may write; a file only with `USE_TMP_FILE false`. */
  writable?: readonly string[];
  /** No query reads rows of the inputs, only their columns and statistics: large ones need not be brought here. */
  footersOnly?: boolean;
  /** Whether somebody looks at `connection.progress`, which costs every query a little. */
  watched?: boolean;
}

/** What a session needs to do anything useful, and the most that are open at once. */
const MIN_LEASE_BYTES = 256 * 1024 * 1024;
const MAX_LEASES = 8;

/**
 * A row group of Parquet as DuckDB writes it, which is what one thread reads at a time: with fewer rows the others would
 * not work, and the one that waits for them would keep a processor busy with waiting.
 */
const ROWS_FOR_ONE_THREAD = 122_880;

/**
 * DuckDB in this process, for queries that may be anybody's: each session is an instance of its own that is shut in
 * (spec section 3, SQL), and all of them together keep to one budget of memory (section 7, DUCKDB_MEMORY_LIMIT).
 */
export class DuckDbEngine {
  readonly #copies: DatasetCopies | undefined;
  readonly #leases: MemoryLeases;
  readonly #instances: SpareInstance;
  readonly #spillFolder: Promise<SpillFolder>;
  /** One for each open session, resolved when its instance is gone. */
  readonly #sessions = new Set<Promise<void>>();
  #sessionCount = 0;
  #closed = false;

  constructor(options: DuckDbOptions) {
    const leases = Math.min(MAX_LEASES, Math.max(1, Math.floor(options.memoryLimitBytes / MIN_LEASE_BYTES)));
    this.#copies = options.copies;
    this.#leases = new MemoryLeases(leases);
    this.#instances = new SpareInstance({
      memory_limit: `${Math.floor(options.memoryLimitBytes / leases)}B`,
      threads: String(options.threads),
    });
    this.#spillFolder = SpillFolder.open(options.spillFolder);
    // Whoever opens the first session is told.
    this.#spillFolder.catch(() => undefined);
  }

  /**
   * Opens a session, runs `use` and closes it. Waits for memory while too many are open; so never open one inside
   * another.
   *
   * @throws EngineError what DuckDB says, see `duckdb-error.ts`; `signal.reason` when aborted
   */
  async withSession<T>(request: SessionRequest, use: (session: DuckDbSession) => Promise<T>): Promise<T> {
    if (this.#closed) throw new EngineError('UnavailableError', 'DuckDB is shutting down');
    // Before there is memory for a session: others may use that meanwhile.
    const held = await holdAll(request.inputs ?? {}, this.#copies, request.signal, request);
    try {
      return await this.#inSession({ ...request, inputs: held.inputs }, use);
    } finally {
      await held.release();
    }
  }

  /** Datasets as files of this machine, for a program beside this process; they stay as long as `use` takes. */
  async withLocalFiles<T>(
    inputs: Readonly<Record<string, Dataset>>,
    signal: AbortSignal,
    use: (inputs: Readonly<Record<string, Dataset>>) => Promise<T>,
  ): Promise<T> {
    const held = await holdAll(inputs, this.#copies, signal);
    try {
      return await use(held.inputs);
    } finally {
      await held.release();
    }
  }

  /** Waits for the open sessions to end, and removes what this process spilled. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#sessions);
    await this.#instances.close();
    const spillFolder = await this.#spillFolder.catch(() => undefined);
    await spillFolder?.close();
  }

  async #inSession<T>(request: SessionRequest, use: (session: DuckDbSession) => Promise<T>): Promise<T> {
    const release = await this.#leases.acquire(request.signal);
    const gone = Promise.withResolvers<void>();
    this.#sessions.add(gone.promise);
    const end = () => {
      release();
      this.#sessions.delete(gone.promise);
      gone.resolve();
    };
    const session = await this.#open(request).catch((error: unknown) => {
      end();
      throw error;
    });
    try {
      const result = await use(session);
      // A file that changed under the query may have been read half old, half new.
      await filesOf(referencedOnly(request.inputs ?? {}));
      return result;
    } finally {
      const closing = session.close().finally(end);
      // A query that does not heed its interrupt holds its memory and its folder until it ends, but not the caller.
      if (session.busy) closing.catch(() => undefined);
      else await closing;
      this.#instances.prepare();
    }
  }

  async #open(request: SessionRequest): Promise<OpenSession> {
    const { signal, inputs = {}, readable = [], writable = [] } = request;
    const spillFolder = await this.#spillFolder;
    const filesByInput = await filesOf(inputs);
    const allowed = [...[...filesByInput.values()].flat(), ...readable, ...writable];
    this.#sessionCount += 1;
    // DuckDB makes it when it first spills there; its parent is this process's alone.
    const spill = join(spillFolder.path, String(this.#sessionCount));
    const instance = await this.#instances.take();
    const hiddenFolders = [`${spillFolder.path}/`, ...allowed.map(folderOf)];
    const session = new OpenSession(await instance.connect(), {
      instance,
      inputFiles: filesByInput,
      signal,
      hiddenFolders,
      spill,
    });
    try {
      await session.run(
        [
          ...effort(request),
          ...[...filesByInput].map(viewOf),
          ...confinement(allowed, spill, await spillableBytes(spillFolder.path)),
        ].join('; '),
      );
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }
}

function referencedOnly(inputs: Readonly<Record<string, Dataset>>): Record<string, Dataset> {
  return Object.fromEntries(Object.entries(inputs).filter(([, dataset]) => dataset.reference !== undefined));
}

async function filesOf(inputs: Readonly<Record<string, Dataset>>): Promise<Map<string, string[]>> {
  const files = Object.entries(inputs).map(async ([name, dataset]): Promise<[string, string[]]> => [
    name,
    await datasetFiles(dataset),
  ]);
  return new Map(await Promise.all(files));
}

/** Folders named `key=value` above staging are no columns of the data. */
function viewOf([name, files]: [string, string[]]): string {
  const list = files.map(quoteLiteral).join(', ');
  return `CREATE VIEW ${quoteIdentifier(name)} AS SELECT * FROM read_parquet([${list}], hive_partitioning = false)`;
}

/** Settings that make no query answer otherwise. */
function effort({ inputs = {}, readable = [], writable = [], watched = false }: SessionRequest): string[] {
  const rows = Object.values(inputs).map((dataset) => dataset.rows);
  const readsNothingElse = rows.length > 0 && readable.every((path) => writable.includes(path));
  const small = readsNothingElse && rows.reduce((sum, more) => sum + more, 0) <= ROWS_FOR_ONE_THREAD;
  return [
    ...(small ? ['SET threads = 1'] : []),
    ...(watched ? ['SET enable_progress_bar = true', 'SET enable_progress_bar_print = false'] : []),
  ];
}

/** The last settings of a session: what it may touch, and that nobody changes them (DuckDB, "Securing DuckDB"). */
function confinement(allowed: readonly string[], spill: string, spillLimitBytes: number): string[] {
  const list = (paths: readonly string[]) => `[${paths.map(quoteLiteral).join(', ')}]`;
  return [
    "SET TimeZone = 'UTC'",
    `SET temp_directory = ${quoteLiteral(spill)}`,
    `SET max_temp_directory_size = '${spillLimitBytes}B'`,
    `SET allowed_paths = ${list(allowed.filter((path) => !path.endsWith('/')))}`,
    `SET allowed_directories = ${list(allowed.filter((path) => path.endsWith('/')))}`,
    'SET enable_external_access = false',
    'SET lock_configuration = true',
  ];
}

/** Half of what is free, so that one query cannot fill the disk under all others. */
async function spillableBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return Math.floor((bavail * bsize) / 2);
}

function folderOf(path: string): string {
  return path.endsWith('/') ? path : `${dirname(path)}/`;
}
