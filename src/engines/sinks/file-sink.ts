import { EngineError } from '../../errors.ts';
import type { FileSink } from '../../schemas/definition.ts';
import type { Dataset, EngineContext } from '../dataset.ts';
import type { DuckDbEngine } from '../duckdb/duckdb-engine.ts';
import { quoteLiteral } from '../duckdb/quote.ts';
import type { S3Access } from '../s3/s3-access.ts';
import { isS3Uri } from '../s3/s3-address.ts';
import type { FileRoots } from '../sources/file-roots.ts';
import type { Interval } from '../sources/interval.ts';
import type { FileTarget, WrittenFile } from './file-target.ts';
import { localFileTarget } from './local-file-target.ts';
import { refuseRowsOutside } from './rows-of-interval.ts';
import { s3FileTarget } from './s3-file-target.ts';

export interface FileLoad {
  input: Dataset;
  /** As in the document; `.gz` at its end compresses csv and json. */
  path: string;
  format: FileSink['format'];
  roots: FileRoots;
  /** Undefined while S3 is not configured. */
  s3?: S3Access | undefined;
  /** Names this load in all its attempts. */
  loadName: string;
  /** No row may be outside of it. */
  interval?: Interval | undefined;
}

/** json is one object a line; csv has a header, and an empty field for NULL. */
const COPY_OPTIONS: Readonly<Record<FileSink['format'], string>> = {
  csv: 'FORMAT csv, HEADER true',
  json: 'FORMAT json, ARRAY false',
  parquet: 'FORMAT parquet',
};

/**
 * Writes a `file` sink exactly once (spec section 2). Whoever reads the target sees the old file or the new one, whole,
 * whichever attempt is killed whenever.
 *
 * @throws EngineError `PermissionDeniedError` outside of the roots, `ValidationError` for a path that cannot be,
 *   `UnavailableError` when the disk is full, or S3 away
 */
export async function writeFileSink(
  engine: DuckDbEngine,
  load: FileLoad,
  context: EngineContext,
): Promise<WrittenFile> {
  const { path, format, input } = load;
  const compressed = path.endsWith('.gz');
  if (compressed && format === 'parquet') {
    throw new EngineError('ValidationError', `${path}: Parquet is compressed inside; leave out .gz`);
  }
  const target = await targetOf(load, context.signal);
  try {
    const already = await target.written();
    if (already !== undefined) {
      context.log('info', `an earlier attempt wrote ${target.shown} already; nothing was written`);
      return already;
    }
    const rows = await engine.withSession(
      { signal: context.signal, inputs: { input }, writable: [target.temporary] },
      async (session) => {
        if (load.interval !== undefined) await refuseRowsOutside(session, 'input', load.interval);
        const compression = compressed ? ', COMPRESSION gzip' : '';
        const options = `${COPY_OPTIONS[format]}${compression}, USE_TMP_FILE false`;
        const to = quoteLiteral(target.temporary);
        const [copied] = await session.rows(`COPY (SELECT * FROM input) TO ${to} (${options})`);
        return Number(copied?.['Count'] ?? 0);
      },
    );
    const written = await target.publish(rows, context.signal);
    context.log('info', `wrote ${rows} rows to ${target.shown}`);
    return written;
  } finally {
    await target.discard().catch(() => undefined);
  }
}

function targetOf({ input, path, format, roots, s3, loadName }: FileLoad, signal: AbortSignal): Promise<FileTarget> {
  if (!isS3Uri(path)) return localFileTarget(path, roots, loadName);
  if (s3 === undefined) throw new EngineError('UnavailableError', 'this worker has no S3_ENDPOINT and no AWS_REGION');
  return s3FileTarget({ path, format, roots, s3, loadName, inputUri: input.uri }, signal);
}
