import { mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../../errors.ts';
import type { FileSource } from '../../schemas/definition.ts';
import type { Dataset, EngineContext } from '../dataset.ts';
import type { DuckDbEngine, DuckDbSession } from '../duckdb/duckdb-engine.ts';
import { measureDataset } from '../duckdb/measure-dataset.ts';
import { isS3Uri } from '../s3/s3-address.ts';
import type { S3Access } from '../s3/s3-access.ts';
import { clearedOnFailure } from './cleared-on-failure.ts';
import { csvOptions, findRaggedLine, withFullDetection } from './csv-reader.ts';
import { readerCall, readerOptions, type ReaderOptions } from './file-options.ts';
import { takeByReference } from './file-reference.ts';
import { type FileRoots, type ResolvedFile, resolveReadableFiles } from './file-roots.ts';
import type { Interval } from './interval.ts';
import { landParquet } from './land-parquet.ts';
import { withExactIntegers } from './wide-integers.ts';
import { isSniffFault, isWrongGuess, readFault } from './read-fault.ts';
import { copyObjects, resolveObjects } from './s3-source-files.ts';

export interface FileExtraction {
  source: FileSource;
  roots: FileRoots;
  /** Undefined while S3 is not configured. */
  s3?: S3Access | undefined;
  /** The attempt's own folder in staging: absolute, ends with `/`. */
  outputFolder: string;
  /** Only rows of this partition, when the source has its column. */
  interval?: Interval;
}

/**
 * Reads a `file` source (spec section 3): csv, json or parquet, one file or a glob, gzip by the name's end, here or on
 * S3. Columns of several files are matched by name. One local Parquet file is taken where it lies, one object is copied
 * as it is; everything else lands as Parquet in `outputFolder`.
 *
 * @throws EngineError `ValidationError` naming the file, and the line where there is one; `PermissionDeniedError` outside
 *   of the roots; `UnavailableError` when the disk is full, or S3 away
 */
export async function extractFile(
  engine: DuckDbEngine,
  request: FileExtraction,
  context: EngineContext,
): Promise<Dataset> {
  const { source, roots, outputFolder } = request;
  const options = readerOptions(source.format, source.options);
  return clearedOnFailure(outputFolder, async () => {
    if (!isS3Uri(source.path)) {
      const files = await resolveReadableFiles(source.path, roots);
      return extractLocal(engine, request, files, options, context);
    }
    const copies = `${await mkdtemp(join(outputFolder, 'copies-'))}/`;
    try {
      const { objects: s3 } = configured(request.s3);
      const objects = await resolveObjects(source.path, s3, roots, context.signal);
      const files = await copyObjects(s3, objects, copies, context);
      return await extractLocal(engine, request, files, options, context);
    } finally {
      await rm(copies, { recursive: true, force: true });
    }
  });
}

async function extractLocal(
  engine: DuckDbEngine,
  request: FileExtraction,
  files: readonly ResolvedFile[],
  options: ReaderOptions,
  context: EngineContext,
): Promise<Dataset> {
  const { source, outputFolder } = request;
  await refuseEmptyFiles(files, source.format);
  const first = files[0];
  const session = {
    signal: context.signal,
    readable: [...files.map((file) => file.path), outputFolder],
    writable: [outputFolder],
  };
  const read = async (duckdb: DuckDbSession): Promise<Dataset> => {
    try {
      const whole = request.interval === undefined && Object.keys(options).length === 0;
      if (source.format === 'parquet' && files.length === 1 && first !== undefined && whole) {
        if (!isS3Uri(source.path)) return await takeByReference(duckdb, first, context);
        await rename(first.path, join(outputFolder, 'part-0.parquet'));
        return await measureDataset(duckdb, outputFolder);
      }
      context.log('info', `reading ${files.length === 1 ? source.path : `${files.length} files of ${source.path}`}`);
      return await land(duckdb, request, files, options, context);
    } catch (error) {
      throw readFault(error, files);
    }
  };
  return engine.withSession(session, read);
}

function configured(s3: S3Access | undefined): S3Access {
  if (s3 !== undefined) return s3;
  throw new EngineError('UnavailableError', 'this worker has no S3_ENDPOINT and no AWS_REGION');
}

async function land(
  session: DuckDbSession,
  { source, outputFolder, interval }: FileExtraction,
  files: readonly ResolvedFile[],
  options: ReaderOptions,
  context: EngineContext,
): Promise<Dataset> {
  const paths = files.map((file) => file.path);
  const settings =
    source.format === 'csv'
      ? await csvOptions(files, options)
      : { hive_partitioning: false, union_by_name: files.length > 1, ...options };
  const guessed = source.format === 'csv' && options['columns'] === undefined && options['all_varchar'] !== true;
  const land = (readWith: ReaderOptions) =>
    landParquet(session, readerCall(`read_${source.format}`, paths, readWith), outputFolder, interval);
  const write = async (readWith: ReaderOptions) => {
    const dataset = await land(readWith);
    const exact = guessed
      ? await withExactIntegers(session, `${outputFolder}part-0.parquet`, paths, readWith)
      : undefined;
    return exact === undefined ? dataset : land(exact);
  };
  try {
    return await write(settings).catch((error: unknown) => {
      if (!isWrongGuess(error)) throw error;
      context.log('info', 'the types of the first rows do not fit the later ones; looking at all rows');
      return write(withFullDetection(settings));
    });
  } catch (error) {
    if (source.format === 'csv' && (isSniffFault(error) || isWrongGuess(error))) {
      await findRaggedLine(session, files, settings);
    }
    throw error;
  }
}

async function refuseEmptyFiles(files: readonly ResolvedFile[], format: FileSource['format']): Promise<void> {
  for (const file of files) {
    if (format === 'parquet' && file.path.endsWith('.gz')) {
      throw new EngineError('ValidationError', `${file.shown}: Parquet is compressed inside; unpack the file first`);
    }
    if ((await stat(file.path)).size === 0) {
      throw new EngineError('ValidationError', `${file.shown} is empty (0 bytes); expected ${format}`);
    }
  }
}
