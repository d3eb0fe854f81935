/**
 * Whole numbers beyond 64 bits in CSV. DuckDB's guess has no type for them but DOUBLE, which rounds: an identifier of 20
 * digits would be another one, in silence.
 */
import { EngineError } from '../../errors.ts';
import type { DuckDbSession } from '../duckdb/duckdb-session.ts';
import { quoteIdentifier, quoteLiteral } from '../duckdb/quote.ts';
import { readerCall, type ReaderOptions } from './file-options.ts';

const WIDEST_BIGINT = 2 ** 63;
/** Of DECIMAL, the widest exact number that Parquet and its readers have. */
const MAX_DIGITS = 38;

/**
 * The options with which columns of such numbers are read exactly; undefined when there are none.
 *
 * @param landed the Parquet file that was written with `options`
 * @throws EngineError `ValidationError` for numbers that no exact type holds
 */
export async function withExactIntegers(
  session: DuckDbSession,
  landed: string,
  paths: readonly string[],
  options: ReaderOptions,
): Promise<ReaderOptions | undefined> {
  const given = typesOf(options);
  const names = (await largeDoubles(session, landed)).filter((name) => !Object.hasOwn(given, name));
  if (names.length === 0) return undefined;

  const { types: _types, ...untyped } = options;
  const questions = names.flatMap((name, at) => {
    const column = quoteIdentifier(name);
    return [
      `bool_and(regexp_full_match(${column}, '\\s*[+-]?\\d+\\s*')) AS whole_${at}`,
      `max(length(regexp_replace(${column}, '\\s*[+-]?0*(\\d*)\\s*', '\\1'))) AS digits_${at}`,
    ];
  });
  const [answer = {}] = await session.rows(
    `SELECT ${questions.join(', ')} FROM ${readerCall('read_csv', paths, { ...untyped, all_varchar: true })}`,
  );
  const whole = names.filter((_, at) => answer[`whole_${at}`] === true);
  const tooWide = names.find((name, at) => whole.includes(name) && Number(answer[`digits_${at}`]) > MAX_DIGITS);
  if (tooWide !== undefined) {
    throw new EngineError(
      'ValidationError',
      `column ${tooWide} holds whole numbers of more than ${MAX_DIGITS} digits; give it a type in options.types: VARCHAR keeps them, DOUBLE rounds them`,
    );
  }
  const exact = Object.fromEntries(whole.map((name) => [name, `DECIMAL(${MAX_DIGITS},0)`]));
  return whole.length === 0 ? undefined : { ...options, types: { ...given, ...exact } };
}

/** From the file's footer, so that files without such numbers are not read again. */
async function largeDoubles(session: DuckDbSession, landed: string): Promise<string[]> {
  const rows = await session.rows(
    `SELECT DISTINCT path_in_schema AS name FROM parquet_metadata(${quoteLiteral(landed)}) WHERE type = 'DOUBLE' AND greatest(abs(TRY_CAST(stats_min_value AS DOUBLE)), abs(TRY_CAST(stats_max_value AS DOUBLE))) >= ${WIDEST_BIGINT}`,
  );
  return rows.map(({ name }) => String(name));
}

function typesOf({ types }: ReaderOptions): Record<string, string> {
  return typeof types === 'object' && !Array.isArray(types) ? types : {};
}
