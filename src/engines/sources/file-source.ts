import { stat } from 'node:fs/promises';
import { EngineError } from '../../errors.ts';
import type { FileSource } from '../../schemas/definition.ts';
import type { Dataset, EngineContext } from '../dataset.ts';
import type { DuckDbEngine, DuckDbSession } from '../duckdb/duckdb-engine.ts';
import { clearedOnFailure } from './cleared-on-failure.ts';
import { csvOptions, findRaggedLine, withFullDetection } from './csv-reader.ts';
import { readerCall, readerOptions, type ReaderOptions } from './file-options.ts';
import { takeByReference } from './file-reference.ts';
import { type FileRoots, type ResolvedFile, resolveReadableFiles } from './file-roots.ts';
import type { Interval } from './interval.ts';
import { landParquet } from './land-parquet.ts';
import { isSniffFault, isWrongGuess, readFault } from './read-fault.ts';

export interface FileExtraction {
  source: FileSource;
  roots: FileRoots;
  /** The attempt's own folder in staging: absolute, ends with `/`. */
  outputFolder: string;
  /** Only rows of this partition, when the source has its column. */
  interval?: Interval;
}

/**
 * Reads a `file` source (spec section 3): csv, json or parquet, one file or a glob, gzip by the name's end. Columns of
 * several files are matched by name. One Parquet file is taken where it lies; everything else lands as Parquet in
 * `outputFolder`.
 *
 * @throws EngineError `ValidationError` naming the file, and the line where there is one; `PermissionDeniedError` outside
 *   of the roots; `UnavailableError` when the disk is full
 */
export async function extractFile(
  engine: DuckDbEngine,
  request: FileExtraction,
  context: EngineContext,
): Promise<Dataset> {
  const { source } = request;
  const options = readerOptions(source.format, source.options);
  const files = await resolveReadableFiles(source.path, request.roots);
  await refuseEmptyFiles(files, source.format);
  const first = files[0];
  const session = {
    signal: context.signal,
    readable: [...files.map((file) => file.path), request.outputFolder],
    writable: [request.outputFolder],
  };
  const read = async (duckdb: DuckDbSession): Promise<Dataset> => {
    try {
      const whole = request.interval === undefined && Object.keys(options).length === 0;
      if (source.format === 'parquet' && files.length === 1 && first !== undefined && whole) {
        return await takeByReference(duckdb, first, context);
      }
      context.log('info', `reading ${files.length === 1 ? source.path : `${files.length} files of ${source.path}`}`);
      return await land(duckdb, request, files, options, context);
    } catch (error) {
      throw readFault(error, files);
    }
  };
  return clearedOnFailure(request.outputFolder, () => engine.withSession(session, read));
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
  const write = (readWith: ReaderOptions) =>
    landParquet(session, readerCall(`read_${source.format}`, paths, readWith), outputFolder, interval);
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
