import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { duckDbError } from '../duckdb/duckdb-error.ts';
import type { DuckDbSession } from '../duckdb/duckdb-engine.ts';
import type { LoadRecord } from './postgres-ledger.ts';
import type { WrittenColumn } from './postgres-table.ts';

/** One COPY statement's worth: gathered first and then sent at once, so that a stalled reader never stalls inside COPY. */
const BATCH_BYTES = 8 * 1024 * 1024;
/** For one such batch. A process that was stopped while it sent one loses its transaction after this. */
const BATCH_WITHIN = '300s';

/**
 * Streams all rows of `input` into a table by COPY, in the open transaction. DuckDB writes each row as a line of CSV, so
 * values pass through JavaScript as text that nobody looks at.
 *
 * @param to the table, quoted
 * @param onRows called after each batch with the rows so far
 */
export async function copyRows(
  session: DuckDbSession,
  client: pg.Client,
  columns: readonly WrittenColumn[],
  to: string,
  onRows: (rows: number) => void,
): Promise<LoadRecord> {
  const statement = `COPY ${to} (${columns.map(({ sql }) => sql).join(', ')}) FROM STDIN (FORMAT csv)`;
  await client.query(`SET LOCAL statement_timeout = '${BATCH_WITHIN}'`);
  const copied: LoadRecord = { rows: 0, bytes: 0 };
  for await (const batch of batchesOf(session, columns)) {
    const stream = client.query(copyFrom(statement));
    await pipeline(Readable.from([batch]), stream);
    copied.rows += stream.rowCount;
    copied.bytes += batch.length;
    onRows(copied.rows);
  }
  await client.query('SET LOCAL statement_timeout = 0');
  return copied;
}

async function* batchesOf(session: DuckDbSession, columns: readonly WrittenColumn[]): AsyncGenerator<Buffer> {
  const fields = columns.map(({ text }) => `coalesce('"' || replace(${text}, '"', '""') || '"', '')`);
  let held: Buffer[] = [];
  let bytes = 0;
  const sql = `SELECT ${fields.join(` || ',' || `)} AS line FROM input`;
  try {
    const result = await session.connection.stream(sql);
    for (;;) {
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) break;
      const lines = Buffer.from(`${chunk.getColumnValues(0).join('\n')}\n`);
      held.push(lines);
      bytes += lines.length;
      if (bytes < BATCH_BYTES) continue;
      yield Buffer.concat(held);
      held = [];
      bytes = 0;
    }
  } catch (error) {
    throw duckDbError(error, { sql, hiddenFolders: [] });
  }
  if (bytes > 0) yield Buffer.concat(held);
}
