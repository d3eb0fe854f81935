/**
 * Reads one SQLite file in a thread of its own, since `node:sqlite` works synchronously and a slow query would stop every
 * heartbeat of the process. Speaks with {@link ./sqlite-reader.ts}: one message for each `next`.
 */
import { once } from 'node:events';
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { quoteIdentifier } from '../duckdb/quote.ts';
import { countsOf, type SqliteColumn } from './sqlite-columns.ts';
import type { ReaderMessage, ReaderTask } from './sqlite-reader.ts';
import type { TextRow } from './text-rows.ts';

const BUSY_TIMEOUT_MS = 10_000;
/** SQLite's limit on columns of a result is 2,000. */
const COLUMNS_AT_ONCE = 200;

const port = parentPort;
if (port === null) throw new Error('sqlite-reader-thread.ts is started as a worker thread only');

try {
  const end = await read(workerData as ReaderTask, async (message) => {
    port.postMessage(message);
    await once(port, 'message');
  });
  // The file is closed by now, so whoever hears of the end may write it.
  port.postMessage(end);
} catch (error) {
  const { message, errcode } = error as Error & { errcode?: number };
  port.postMessage({ kind: 'error', message, ...(errcode !== undefined && { errcode }) } satisfies ReaderMessage);
}
port.close();

async function read(task: ReaderTask, tell: (message: ReaderMessage) => Promise<void>): Promise<ReaderMessage> {
  const database = new DatabaseSync(task.path, { readOnly: true, allowExtension: false, timeout: BUSY_TIMEOUT_MS });
  try {
    // One snapshot for everything that follows.
    database.exec('BEGIN');
    const columns = columnsOf(database, task);
    await tell({ kind: 'columns', columns });

    const { where, parameters } = withinWatermarks(task, columns);
    const rows = prepare(database, `SELECT * FROM ${task.relation} AS q${where}`).iterate(parameters);
    let batch: TextRow[] = [];
    // The statement gives arrays, which its type does not know.
    for (const row of rows as unknown as Iterable<SQLOutputValue[]>) {
      batch.push(row.map(textOf));
      if (batch.length < task.fetchRows) continue;
      await tell({ kind: 'rows', rows: batch });
      batch = [];
    }
    if (batch.length > 0) await tell({ kind: 'rows', rows: batch });

    const watermark = newWatermark(database, task, where, parameters);
    return { kind: 'end', ...(watermark !== null && { watermark }) };
  } finally {
    database.close();
  }
}

function columnsOf(database: DatabaseSync, task: ReaderTask): SqliteColumn[] {
  const described = prepare(database, `SELECT * FROM ${task.relation} AS q`).columns();
  const columns = described.map(({ name, type }) => ({ name, declared: (type ?? '').toUpperCase() }));
  return Array.from({ length: Math.ceil(columns.length / COLUMNS_AT_ONCE) }, (_, at) =>
    columns.slice(at * COLUMNS_AT_ONCE, (at + 1) * COLUMNS_AT_ONCE),
  ).flatMap((some) => counted(database, task, some));
}

function counted(
  database: DatabaseSync,
  task: ReaderTask,
  columns: readonly { name: string; declared: string }[],
): SqliteColumn[] {
  const counts = columns.flatMap(({ name }) => countsOf(`q.${quoteIdentifier(name)}`));
  const row = prepare(database, `SELECT ${counts.join(', ')} FROM ${task.relation} AS q`).get(task.parameters);
  const values = (row as unknown as SQLOutputValue[]).map(Number);
  const perColumn = counts.length / columns.length;
  return columns.map((column, at) => {
    const own = values.slice(at * perColumn, (at + 1) * perColumn);
    const [integers = 0, reals = 0, texts = 0, blobs = 0, notBoolean = 0, wide = 0, notDate = 0, notTimestamp = 0] =
      own;
    return { ...column, integers, reals, texts, blobs, notBoolean, wide, notDate, notTimestamp };
  });
}

/** The rows of the task, see `JdbcExtraction`. NULLs are no progress: only what is read from the start holds them. */
function withinWatermarks(
  { watermarkColumn, watermark, upTo, parameters }: ReaderTask,
  columns: readonly SqliteColumn[],
): { where: string; parameters: Record<string, SQLInputValue> } {
  if (watermarkColumn === undefined) return { where: '', parameters };
  const name = `q.${quoteIdentifier(watermarkColumn)}`;
  const texts = columns.find((column) => column.name === watermarkColumn)?.texts ?? 0;
  const conditions: string[] = [];
  const values: Record<string, SQLInputValue> = {};
  if (watermark !== undefined) {
    conditions.push(`${name} > $last_watermark`);
    values['last_watermark'] = comparable(watermark, texts);
  }
  if (upTo === null) conditions.push(`${name} IS NULL`);
  else if (upTo !== undefined) {
    conditions.push(`(${name} <= $upper_watermark${watermark === undefined ? ` OR ${name} IS NULL` : ''})`);
    values['upper_watermark'] = comparable(upTo, texts);
  }
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  return { where, parameters: { ...parameters, ...values } };
}

/** A watermark as a value of the column's own class: SQLite calls every text larger than every number. */
function comparable(watermark: string, texts: number): SQLInputValue {
  const asNumber = /^-?\d+$/.test(watermark) ? BigInt(watermark) : Number(watermark);
  return texts > 0 || Number.isNaN(asNumber) ? watermark : asNumber;
}

function newWatermark(
  database: DatabaseSync,
  { watermarkColumn, relation }: ReaderTask,
  where: string,
  parameters: Record<string, SQLInputValue>,
): string | null {
  if (watermarkColumn === undefined) return null;
  const sql = `SELECT max(q.${quoteIdentifier(watermarkColumn)}) FROM ${relation} AS q${where}`;
  const [largest = null] = prepare(database, sql).get(parameters) as unknown as SQLOutputValue[];
  return textOf(largest);
}

function prepare(database: DatabaseSync, sql: string): StatementSync {
  const statement = database.prepare(sql);
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  return statement;
}

function textOf(value: SQLOutputValue): string | null {
  if (value === null) return null;
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value);
}
