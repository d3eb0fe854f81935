import { EngineError } from '../../errors.ts';
import type { EngineContext } from '../dataset.ts';
import type { DuckDbEngine } from '../duckdb/duckdb-engine.ts';
import { quoteIdentifier } from '../duckdb/quote.ts';
import { relationOf } from './bound-query.ts';
import { resolveReadableFiles } from './file-roots.ts';
import { intervalCondition } from './interval.ts';
import type { JdbcExtraction, JdbcResult } from './jdbc-source.ts';
import { landingColumn, type SqliteColumn } from './sqlite-columns.ts';
import { SqliteReader } from './sqlite-reader.ts';
import { type TextColumn, TextRows } from './text-rows.ts';

const DEFAULT_FETCH_ROWS = 10_000;

/** Streams a table or query of a SQLite file into Parquet, by one reader: SQLite reads from one place at a time. */
export async function extractSqlite(
  engine: DuckDbEngine,
  request: JdbcExtraction,
  context: EngineContext,
): Promise<JdbcResult> {
  const { source, outputFolder: folder, interval, watermark, upTo } = request;
  const relation = relationOf(source, request.parameters, quoteIdentifier, (name) => `$${name}`);
  const path = await databasePath(request);
  if ((source.num_partitions ?? 1) > 1)
    context.log('info', 'SQLite is read by one reader; num_partitions has no effect');
  const parameters = relation.parameters.map(({ name, value }) => [name, sqliteValue(value)]);
  const reader = new SqliteReader(
    {
      path,
      relation: relation.sql,
      parameters: Object.fromEntries(parameters) as Record<string, string | number | bigint>,
      ...(source.watermark_column !== undefined && { watermarkColumn: source.watermark_column }),
      ...(watermark !== undefined && { watermark }),
      ...(upTo !== undefined && { upTo }),
      fetchRows: source.fetch_size ?? DEFAULT_FETCH_ROWS,
    },
    context.signal,
  );
  try {
    return await engine.withSession(
      { signal: context.signal, readable: [folder], writable: [folder] },
      async (session) => {
        const first = await reader.next();
        const columns = columnsOf(first.kind === 'columns' ? first.columns : [], source.watermark_column, context);
        const landing = await TextRows.create(session, columns, folder, intervalCondition(interval, columns));
        for (;;) {
          const message = await reader.next();
          if (message.kind === 'rows') await landing.append(message.rows);
          if (message.kind !== 'end') continue;
          const dataset = await landing.finish();
          context.log('info', `read ${dataset.rows} rows of SQLite`);
          return { dataset, ...(message.watermark !== undefined && { watermark: message.watermark }) };
        }
      },
    );
  } finally {
    reader.close();
  }
}

/** `sqlite:relative/path`, `sqlite:///absolute/path`, or a path. */
async function databasePath({ connectionUrl, roots }: JdbcExtraction): Promise<string> {
  const written = connectionUrl.replace(/^sqlite:(\/\/)?/i, '');
  const [file, second] = await resolveReadableFiles(written, roots).catch((error: unknown) => {
    // Whatever this is, it came as a connection, so it is not repeated.
    if (!(error instanceof EngineError)) throw error;
    const denied = error.type === 'PermissionDeniedError';
    throw new EngineError(
      error.type,
      denied
        ? 'connection: the SQLite file lies outside of the folders that pipelines may use (FILE_ROOTS)'
        : 'connection: there is no such SQLite file; a relative path starts at the first of FILE_ROOTS, else at the working folder',
    );
  });
  if (file === undefined || second !== undefined) {
    throw new EngineError('ValidationError', 'connection: expected the path of one SQLite file');
  }
  return file.path;
}

function sqliteValue(value: string | number | boolean): string | number | bigint {
  if (typeof value === 'boolean') return value ? 1n : 0n;
  // A number of JavaScript is bound as a REAL, which no integer key equals by its text.
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
}

function columnsOf(
  described: readonly SqliteColumn[],
  watermarkColumn: string | undefined,
  context: EngineContext,
): TextColumn[] {
  const watermark = described.find(({ name }) => name === watermarkColumn);
  if (watermarkColumn !== undefined && watermark === undefined) {
    const known = described.slice(0, 30).map(({ name }) => name);
    throw new EngineError(
      'ValidationError',
      `watermark_column: the source has no column ${watermarkColumn}; it has ${known.join(', ')}`,
    );
  }
  if (
    watermark !== undefined &&
    (watermark.blobs > 0 || (watermark.texts > 0 && watermark.integers + watermark.reals > 0))
  ) {
    throw new EngineError('ValidationError', `watermark_column: ${watermark.name} holds values of several kinds`);
  }
  return described.map((column) => {
    const landed = landingColumn(column);
    if (column.texts > 0 && landed.type === 'VARCHAR' && !/CHAR|CLOB|TEXT|^$/.test(column.declared)) {
      context.log(
        'warn',
        `column ${column.name} is declared ${column.declared} and holds other text; it lands as text`,
      );
    }
    return landed;
  });
}
