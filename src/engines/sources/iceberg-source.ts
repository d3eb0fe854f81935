import { access, mkdtemp, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { EngineError } from '../../errors.ts';
import type { IcebergSource } from '../../schemas/definition.ts';
import type { Dataset, EngineContext } from '../dataset.ts';
import type { DuckDbEngine, DuckDbSession } from '../duckdb/duckdb-engine.ts';
import { quoteIdentifier } from '../duckdb/quote.ts';
import { parseTableIdentifier, type IcebergCatalog } from '../iceberg/catalog.ts';
import { duckDbReadType } from '../iceberg/duckdb-types.ts';
import { inParallel } from '../iceberg/in-parallel.ts';
import { filesOfInterval } from '../iceberg/interval-files.ts';
import { dataFilesOf, snapshotToRead } from '../iceberg/read-snapshot.ts';
import type { StructType } from '../iceberg/schema.ts';
import { checkFieldIds, checkNestedNames, columnName, tableRows } from '../iceberg/table-rows.ts';
import { clearedOnFailure } from './cleared-on-failure.ts';
import type { Interval } from './interval.ts';
import { landParquet } from './land-parquet.ts';

export interface IcebergExtraction {
  source: IcebergSource;
  catalog: IcebergCatalog;
  /** The attempt's own folder in staging: absolute, ends with `/`. */
  outputFolder: string;
  /** Only rows of this partition, when the table has its column. */
  interval?: Interval;
}

/** Of one snapshot; DuckDB is told each by name. */
const MAX_FILES = 100_000;

/**
 * Reads an `iceberg` source (spec section 3): the rows of one snapshot, as Parquet in `outputFolder`. Which snapshot is
 * decided once, so what is committed meanwhile is not read. Columns are found by field id: those that were renamed have
 * the name of now, those that a file does not have are null, those that were widened are wide.
 *
 * @throws EngineError `ValidationError` when there is no such table or snapshot; `UnsupportedError` for tables with
 *   delete files, other data files than Parquet, or fields renamed inside structs; `UnavailableError` when the catalog
 *   is away, or files are gone
 */
export async function extractIceberg(
  engine: DuckDbEngine,
  { source, catalog, outputFolder, interval }: IcebergExtraction,
  context: EngineContext,
): Promise<Dataset> {
  const table = await catalog.loadTable(parseTableIdentifier(source.table));
  if (table === undefined) throw new EngineError('ValidationError', `there is no table ${source.table}`);
  const { metadata, io } = table;
  const { snapshot, schema } = snapshotToRead(metadata, source.snapshot_id);
  checkNames(schema);
  checkNestedNames(metadata.schemas, schema);
  const files = snapshot === undefined ? [] : await dataFilesOf(snapshot, io);
  const wanted = interval === undefined ? files : files.filter(filesOfInterval(interval, schema).mayHaveRows);
  if (wanted.length > MAX_FILES) {
    throw new EngineError(
      'UnsupportedError',
      `the table has ${wanted.length} data files, at most ${MAX_FILES} are read; compact it`,
    );
  }
  const id = snapshot === undefined ? 'without rows' : `snapshot ${snapshot['snapshot-id']}`;
  context.log('info', `reading ${source.table}, ${id}: ${wanted.length} of ${files.length} data files`);
  context.signal.throwIfAborted();
  return clearedOnFailure(outputFolder, async () => {
    const copies = await mkdtemp(join(outputFolder, 'copies-'));
    let paths: string[] = [];
    try {
      paths = await inParallel(wanted, (file) => io.localCopy(file.path, `${copies}/`, context.signal));
      const request = { signal: context.signal, readable: [...paths, outputFolder], writable: [outputFolder] };
      return await engine.withSession(request, (session) => land(session, paths, schema, outputFolder, interval));
    } catch (error) {
      context.signal.throwIfAborted();
      throw (await missing(paths)) ?? error;
    } finally {
      await rm(copies, { recursive: true, force: true });
    }
  });
}

async function land(
  session: DuckDbSession,
  paths: readonly string[],
  schema: StructType,
  outputFolder: string,
  interval: Interval | undefined,
): Promise<Dataset> {
  if (paths.length > 0) await checkFieldIds(session, paths);
  const columns = schema.fields.map(({ id, name, type }) => {
    const value = paths.length > 0 ? columnName(id) : `CAST(NULL AS ${duckDbReadType(type)})`;
    return `${value} AS ${quoteIdentifier(name)}`;
  });
  const rows = paths.length > 0 ? `FROM ${tableRows(paths, schema, duckDbReadType)}` : 'LIMIT 0';
  return landParquet(session, `(SELECT ${columns.join(', ')} ${rows})`, outputFolder, interval);
}

/** DuckDB says of files that are not there that it may not read them. */
async function missing(paths: readonly string[]): Promise<EngineError | undefined> {
  const found = await inParallel(paths, (path) => access(path).then(() => true, isThere));
  const gone = paths.find((_, at) => found[at] === false);
  if (gone === undefined) return undefined;
  return new EngineError('UnavailableError', `the data file ${basename(gone)} is gone; did its snapshot expire?`);
}

function isThere(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code !== 'ENOENT';
}

/** SQL could not tell the two apart. */
function checkNames(schema: StructType): void {
  const names = schema.fields.map((field) => field.name.toLowerCase());
  const twin = schema.fields.find((field, at) => names.indexOf(field.name.toLowerCase()) < at);
  if (twin !== undefined) {
    throw new EngineError('UnsupportedError', `the table has two columns ${twin.name} that differ only in case`);
  }
}
