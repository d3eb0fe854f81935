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
const DISK_FULL = /no space left|failed to offload|max_temp_directory_size|disk quota/i;
const MEMORY_FULL = /out of memory|could not allocate|bad_alloc/i;

/**
 * What a session throws for what DuckDB threw; something that is not DuckDB's comes back as it was.
 *
 * @param hiddenFolders ending with `/`; in the message a file in them is shown by its name only
 */
export function duckDbError(thrown: unknown, hiddenFolders: readonly string[]): unknown {
  if (thrown instanceof EngineError) return thrown;
  const kind = /^([A-Za-z][A-Za-z ]*?) Error: /.exec(messageOf(thrown))?.[1];
  if (kind === undefined) return thrown;
  const message = withoutPaths(messageOf(thrown), hiddenFolders);
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
  return new EngineError(TYPE_BY_KIND[kind] ?? 'ValidationError', message.slice(0, MAX_MESSAGE_LENGTH));
}

function withoutPaths(message: string, hiddenFolders: readonly string[]): string {
  const longestFirst = [...new Set(hiddenFolders)]
    .filter((folder) => folder !== '/')
    .sort((a, b) => b.length - a.length);
  return longestFirst.reduce((text, folder) => text.replaceAll(folder, '…/'), message);
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0]?.slice(0, 300) ?? '';
}
