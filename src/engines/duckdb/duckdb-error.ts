import { EngineError, messageOf, type EngineErrorType } from '../../errors.ts';

const MAX_MESSAGE_LENGTH = 2000;

/** What DuckDB's kinds of error mean for whoever runs the step; kinds not named here blame the query or the data. */
const TYPE_BY_KIND: Readonly<Record<string, EngineErrorType>> = {
  'Out of Memory': 'UnavailableError',
  IO: 'UnavailableError',
  HTTP: 'UnavailableError',
  Permission: 'PermissionDeniedError',
  'Not implemented': 'UnsupportedError',
  'Missing Extension': 'UnsupportedError',
  INTERRUPT: 'UnavailableError',
  // DuckDB's own defects: nothing is known about the query.
  INTERNAL: 'JobFailedError',
  FATAL: 'JobFailedError',
};
/** A limit on the size of files (`ulimit -f`) is as good as a full disk to whoever writes. */
const DISK_FULL = /no space left|failed to offload|max_temp_directory_size|disk quota|file too large/i;
/** The file is not what its name says: reading it again does not help. */
const WRONG_FILE = /not a GZIP stream|zstd.*(?:frame|magic)|No magic bytes|too small to be a Parquet/i;
const MEMORY_FULL = /out of memory|could not allocate|bad_alloc/i;

/** Where DuckDB shows the line of SQL that it means. */
const EXCERPT = /\n+LINE (\d+): [^]*$/;

/** What a session knows of itself when a statement fails. */
export interface FailedStatement {
  sql: string;
  /** Ending with `/`; in messages a file in them is shown by its name only. */
  hiddenFolders: readonly string[];
}

/** What a session throws for what DuckDB threw; something that is not DuckDB's comes back as it was. */
export function duckDbError(thrown: unknown, statement: FailedStatement): unknown {
  if (thrown instanceof EngineError) return thrown;
  const kind = /^([A-Za-z][A-Za-z ]*?) Error: /.exec(messageOf(thrown))?.[1];
  if (kind === undefined) return thrown;
  const message = withoutPaths(messageOf(thrown), statement);
  if (DISK_FULL.test(message)) {
    return new EngineError(
      'UnavailableError',
      `the disk is full; free some space or let the query touch fewer rows (${firstLine(message)})`,
    );
  }
  if (kind === 'Out of Memory' || MEMORY_FULL.test(message)) {
    return new EngineError(
      'UnavailableError',
      `the query needs more memory than it may have; raise DUCKDB_MEMORY_LIMIT or let it touch fewer rows (${firstLine(message)})`,
    );
  }
  if (WRONG_FILE.test(message)) return new EngineError('ValidationError', message.slice(0, MAX_MESSAGE_LENGTH));
  return new EngineError(TYPE_BY_KIND[kind] ?? 'ValidationError', message.slice(0, MAX_MESSAGE_LENGTH));
}

/** An excerpt of a line with paths goes altogether: DuckDB cuts it anywhere, so the rest of a path may look like none. */
function withoutPaths(message: string, { sql, hiddenFolders }: FailedStatement): string {
  const folders = [...new Set(hiddenFolders)].filter((folder) => folder !== '/').sort((a, b) => b.length - a.length);
  const excerpted = sql.split('\n')[Number(EXCERPT.exec(message)?.[1]) - 1] ?? '';
  const told = folders.some((folder) => excerpted.includes(folder)) ? message.replace(EXCERPT, '') : message;
  return folders.reduce((text, folder) => text.replaceAll(folder, '…/'), told);
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0]?.slice(0, 300) ?? '';
}
