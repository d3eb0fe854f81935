import { EngineError } from '../../errors.ts';
import type { DuckDbSession } from '../duckdb/duckdb-session.ts';
import { countFields, guessDelimiter, headerLine } from './csv-head.ts';
import { readerCall, type ReaderOptions } from './file-options.ts';
import type { ResolvedFile } from './file-roots.ts';

/**
 * How CSV is read unless the options say otherwise: RFC 4180 with a header. DuckDB would guess each of these, and a file
 * with a ragged line then becomes one column of whole lines instead of an error.
 */
const DIALECT: ReaderOptions = {
  header: true,
  quote: '"',
  escape: '"',
  comment: '',
  skip: 0,
  nullstr: '',
  hive_partitioning: false,
};

/**
 * The options with which DuckDB reads these files: the dialect fixed, the types guessed.
 *
 * @throws EngineError `ValidationError` for a file without even a header
 */
export async function csvOptions(files: readonly ResolvedFile[], options: ReaderOptions): Promise<ReaderOptions> {
  const dialect = { ...DIALECT, ...options };
  let delimiter = options['delim'];
  for (const file of files) {
    const header = await headerLine(file.path, Number(dialect['skip']), encodingOf(options));
    if (header === undefined) {
      const wanted = dialect['header'] === true ? 'a header line' : 'rows';
      throw new EngineError('ValidationError', `${file.shown} is empty; expected ${wanted}`);
    }
    delimiter ??= guessDelimiter(header);
  }
  return { ...dialect, delim: delimiter ?? ',', union_by_name: files.length > 1 };
}

/** Types that fit every row: the whole of every file is looked at, which costs a second reading. */
export function withFullDetection(options: ReaderOptions): ReaderOptions {
  return { ...options, sample_size: -1 };
}

/**
 * Reads the files as plain text fields, so that the first line with a wrong number of them is named; DuckDB's guessing
 * only says that it failed.
 *
 * @throws EngineError `ValidationError` with the line, when there is one
 */
export async function findRaggedLine(
  session: DuckDbSession,
  files: readonly ResolvedFile[],
  options: ReaderOptions,
): Promise<void> {
  const { types: _types, columns: _columns, all_varchar: _all, union_by_name: _union, ...dialect } = options;
  for (const file of files) {
    const header = await headerLine(file.path, Number(options['skip']), encodingOf(options));
    const count = countFields(header ?? '', textOf(options['delim'], ','), textOf(options['quote'], '"'));
    const columns = Object.fromEntries(Array.from({ length: count }, (_, at) => [`column${at}`, 'VARCHAR']));
    await session.run(
      `SELECT count(*) FROM ${readerCall('read_csv', [file.path], { ...dialect, auto_detect: false, columns })}`,
    );
  }
}

function encodingOf(options: ReaderOptions): string {
  return textOf(options['encoding'], 'utf-8');
}

function textOf(value: unknown, fallback: string): string {
  return typeof value === 'string' ? value : fallback;
}
