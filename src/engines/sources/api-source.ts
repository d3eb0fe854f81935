import { type FileHandle, open, rm } from 'node:fs/promises';
import { EngineError } from '../../errors.ts';
import type { ApiSource } from '../../schemas/api-source.ts';
import type { Dataset, EngineContext } from '../dataset.ts';
import type { DuckDbEngine } from '../duckdb/duckdb-engine.ts';
import type { EgressGuard } from '../egress-guard.ts';
import { ApiClient, type ApiHeader, type ApiLimits } from './api-client.ts';
import { clearedOnFailure } from './cleared-on-failure.ts';
import { readerCall } from './file-options.ts';
import type { Interval } from './interval.ts';
import { parseAnswer, recordsOf } from './json-answer.ts';
import { landParquet } from './land-parquet.ts';
import { pageSequence } from './page-sequence.ts';
import { readFault } from './read-fault.ts';

export interface ApiExtraction {
  source: ApiSource;
  /** `source.headers` with their secrets. */
  headers: Readonly<Record<string, ApiHeader>>;
  egress: EgressGuard;
  /** The attempt's own folder in staging: absolute, ends with `/`. */
  outputFolder: string;
  /** Only records of this partition, when they have its column. */
  interval?: Interval;
  limits?: Partial<ApiLimits>;
}

const LIMITS: ApiLimits = {
  pageBytes: 32 * 1024 * 1024,
  totalBytes: 16 * 1024 * 1024 * 1024,
  requestTimeoutMs: 2 * 60_000,
  waitMs: 10 * 60_000,
  waits: 5,
};
/** Of a source that sets no `max_pages`: more is an API that does not know the parameter that it is asked with. */
const MAX_PAGES = 100_000;
const LOG_EVERY_PAGES = 100;
/** What DuckDB reserves for a record unless one is longer. */
const USUAL_RECORD_BYTES = 16 * 1024 * 1024;

/**
 * Reads an `api` source (spec section 3): pages of JSON over HTTP, collected in `outputFolder` as JSON lines, then
 * written there as Parquet with types that fit every record.
 *
 * @throws EngineError `PermissionDeniedError` when the API refuses whoever asks, or the address is not allowed;
 *   `UnavailableError` when it is away or busy; `ValidationError` for answers that cannot be read, and when there is no
 *   record and `columns` does not say what they would be. No message holds a header or what a server said.
 */
export async function extractApi(
  engine: DuckDbEngine,
  request: ApiExtraction,
  context: EngineContext,
): Promise<Dataset> {
  const { outputFolder, source } = request;
  return clearedOnFailure(outputFolder, async () => {
    const path = `${outputFolder}records.jsonl`;
    const file = await open(path, 'wx');
    let read: ReadRecords;
    try {
      read = await readPages(request, file, context);
    } finally {
      await file.close();
    }
    if (read.records === 0 && source.columns === undefined) {
      throw new EngineError(
        'ValidationError',
        'the API has no records, so nothing says what their columns are; name them in columns of the source',
      );
    }
    context.log('info', `read ${read.records} records of ${read.pages} ${read.pages === 1 ? 'page' : 'pages'}`);
    const dataset = await land(engine, request, { path, longestBytes: read.longestBytes }, context);
    await rm(path);
    return dataset;
  });
}

interface ReadRecords {
  pages: number;
  records: number;
  longestBytes: number;
}

async function readPages(request: ApiExtraction, file: FileHandle, context: EngineContext): Promise<ReadRecords> {
  const { source, headers, egress } = request;
  const limits = { ...LIMITS, ...request.limits };
  const client = new ApiClient({ source, headers, egress, limits }, context);
  const pages = pageSequence(source);
  const maxPages = source.pagination?.max_pages;
  const decimals = Object.values(source.columns ?? {}).some((type) => /DECIMAL|NUMERIC/i.test(type));
  const read: ReadRecords = { pages: 0, records: 0, longestBytes: 0 };
  let bytesLeft = limits.totalBytes;
  let url: URL | undefined = pages.first;
  while (url !== undefined) {
    if (read.pages === maxPages) {
      context.log('warn', `stopped after ${maxPages} pages (max_pages), where the API has more`);
      break;
    }
    if (read.pages === MAX_PAGES) throw tooMuch(`${MAX_PAGES} pages; set max_pages, or larger pages`);
    const answer = await client.ask(url);
    const { value, textOf } = parseAnswer(answer.body, answer.headers['content-type'], decimals);
    const records = recordsOf(value, source.records_path);
    const lines = records.map((record) => `${textOf(record)}\n`);
    for (const line of lines) read.longestBytes = Math.max(read.longestBytes, Buffer.byteLength(line));
    const text = lines.join('');
    bytesLeft -= Buffer.byteLength(text);
    if (bytesLeft < 0) throw tooMuch(`${limits.totalBytes} bytes of records`);
    await append(file, text);
    read.pages += 1;
    read.records += records.length;
    if (read.pages % LOG_EVERY_PAGES === 0) context.log('info', `${read.records} records of ${read.pages} pages`);
    url = pages.next({ url: answer.url, answer: value, records: records.length, link: answer.headers['link'] });
  }
  return read;
}

async function append(file: FileHandle, text: string): Promise<void> {
  try {
    await file.appendFile(text);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    throw new EngineError('UnavailableError', `staging cannot be written: ${code}`, { cause: error });
  }
}

function tooMuch(limit: string): EngineError {
  return new EngineError('ValidationError', `the API has more than ${limit}`);
}

async function land(
  engine: DuckDbEngine,
  { source, outputFolder, interval }: ApiExtraction,
  { path, longestBytes }: { path: string; longestBytes: number },
  { signal }: EngineContext,
): Promise<Dataset> {
  const sql = readerCall('read_json', [path], {
    format: 'newline_delimited',
    records: 'true',
    hive_partitioning: false,
    // All records are looked at, and what differs from record to record stays columns instead of becoming a map.
    sample_size: -1,
    map_inference_threshold: -1,
    maximum_object_size: Math.max(USUAL_RECORD_BYTES, longestBytes + 1),
    ...(source.columns !== undefined && { columns: source.columns }),
  });
  const session = { signal, readable: [outputFolder], writable: [outputFolder] };
  try {
    return await engine.withSession(session, (duckdb) => landParquet(duckdb, sql, outputFolder, interval));
  } catch (error) {
    throw readFault(error, [{ path, shown: "the API's records" }]);
  }
}
