import { EngineError } from '../../errors.ts';
import type { JdbcSource } from '../../schemas/definition.ts';
import type { ParameterValue } from '../../schemas/parameters.ts';
import type { Dataset, EngineContext } from '../dataset.ts';
import type { DuckDbEngine } from '../duckdb/duckdb-engine.ts';
import { isPostgresUrl } from '../postgres/connection-url.ts';
import { clearedOnFailure } from './cleared-on-failure.ts';
import type { FileRoots } from './file-roots.ts';
import type { Interval } from './interval.ts';
import { extractPostgres } from './postgres-source.ts';
import { extractSqlite } from './sqlite-source.ts';

export interface JdbcExtraction {
  source: JdbcSource;
  /** `source.connection` with its secrets: `postgres://…`, `sqlite:path`, or the path of a SQLite file. */
  connectionUrl: string;
  /** Of the run, for `source.query`. */
  parameters: Readonly<Record<string, ParameterValue>>;
  roots: FileRoots;
  /** The attempt's own folder in staging: absolute, ends with `/`. */
  outputFolder: string;
  /** Only rows whose `watermark_column` is beyond this, as the last run that completed returned it. */
  watermark?: string;
  /** Only rows up to this one, it included: what an earlier extraction read. Null: that one met no watermark at all. */
  upTo?: string | null;
  /** Only rows of this partition, when the source has its column. */
  interval?: Interval;
}

export interface JdbcResult {
  dataset: Dataset;
  /** The largest `watermark_column` that was read, for the next run; absent when no row was. */
  watermark?: string;
}

/**
 * Reads a `jdbc` source (spec section 3): a table or query of PostgreSQL or SQLite, streamed into Parquet in
 * `outputFolder` from one consistent snapshot.
 *
 * @throws EngineError `UnavailableError` when the database is away; `PermissionDeniedError` when it refuses the user, or
 *   a SQLite file lies outside of the roots; `ValidationError` for SQL, columns and values that do not work. No message
 *   holds the connection's URL.
 */
export async function extractJdbc(
  engine: DuckDbEngine,
  request: JdbcExtraction,
  context: EngineContext,
): Promise<JdbcResult> {
  const { connectionUrl } = request;
  const isPostgres = isPostgresUrl(connectionUrl);
  if (!isPostgres && /^(?!sqlite:|file:)[a-z][a-z0-9+.-]*:/i.test(connectionUrl)) {
    throw new EngineError('UnsupportedError', 'connection: expected postgres://… or sqlite:path; nothing else is read');
  }
  const extract = isPostgres ? extractPostgres : extractSqlite;
  return clearedOnFailure(request.outputFolder, () => extract(engine, request, context));
}
