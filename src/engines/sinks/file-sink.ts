import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EngineError } from '../../errors.ts';
import type { FileSink } from '../../schemas/definition.ts';
import type { Dataset, EngineContext } from '../dataset.ts';
import type { DuckDbEngine } from '../duckdb/duckdb-engine.ts';
import { quoteLiteral } from '../duckdb/quote.ts';
import { type FileRoots, resolveWritablePath } from '../sources/file-roots.ts';

export interface FileLoad {
  input: Dataset;
  /** As in the document; `.gz` at its end compresses csv and json. */
  path: string;
  format: FileSink['format'];
  roots: FileRoots;
  /** Names this load in all its attempts. */
  loadName: string;
}

export interface WrittenFile {
  rows: number;
  bytes: number;
  /** `file://…` */
  uri: string;
}

/** json is one object a line; csv has a header, and an empty field for NULL. */
const COPY_OPTIONS: Readonly<Record<FileSink['format'], string>> = {
  csv: 'FORMAT csv, HEADER true',
  json: 'FORMAT json, ARRAY false',
  parquet: 'FORMAT parquet',
};

/**
 * Writes a `file` sink exactly once (spec section 2): into a temporary of this attempt's own beside the target, flushed
 * to the disk, then renamed over it. Whoever reads the target sees the old file or the new one, whole; an attempt that is
 * killed leaves a temporary, which the next one of the same load removes.
 *
 * @throws EngineError `PermissionDeniedError` outside of the roots, `ValidationError` for a path that cannot be,
 *   `UnavailableError` when the disk is full
 */
export async function writeFileSink(
  engine: DuckDbEngine,
  { input, path, format, roots, loadName }: FileLoad,
  context: EngineContext,
): Promise<WrittenFile> {
  const compressed = path.endsWith('.gz');
  if (compressed && format === 'parquet') {
    throw new EngineError('ValidationError', `${path}: Parquet is compressed inside; leave out .gz`);
  }
  const target = await resolveWritablePath(path, roots);
  const folder = dirname(target.path);
  const prefix = temporaryPrefix(target.path, loadName);
  const temporary = join(folder, `${prefix}${randomUUID()}.tmp`);
  try {
    await mkdir(folder, { recursive: true });
    await removeLeftovers(folder, prefix);
    const rows = await engine.withSession(
      { signal: context.signal, inputs: { input }, writable: [temporary] },
      async (session) => {
        const compression = compressed ? ', COMPRESSION gzip' : '';
        const options = `${COPY_OPTIONS[format]}${compression}, USE_TMP_FILE false`;
        const [copied] = await session.rows(`COPY (SELECT * FROM input) TO ${quoteLiteral(temporary)} (${options})`);
        return Number(copied?.['Count'] ?? 0);
      },
    );
    await flush(temporary);
    // The last moment at which an attempt that was given up can still leave the target alone.
    context.signal.throwIfAborted();
    const bytes = (await stat(temporary)).size;
    await rename(temporary, target.path);
    await flush(folder);
    context.log('info', `wrote ${rows} rows to ${target.shown}`);
    return { rows, bytes, uri: pathToFileURL(target.path).href };
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw fileError(error, target.shown);
  }
}

/** Hidden, and different for each load, so that nobody takes another's. Names have at most 255 bytes. */
function temporaryPrefix(target: string, loadName: string): string {
  const load = createHash('sha256').update(loadName).digest('hex').slice(0, 20);
  return `.${Buffer.from(basename(target))
    .subarray(0, 100)
    .toString('latin1')
    .replaceAll(/[^\w.-]/g, '_')}.${load}.`;
}

async function removeLeftovers(folder: string, prefix: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith(prefix) && name.endsWith('.tmp')) await rm(join(folder, name), { force: true });
  }
}

/** So that a power cut cannot leave the new name on an empty file. */
async function flush(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function fileError(error: unknown, shown: string): unknown {
  if (error instanceof EngineError || !(error instanceof Error) || !('syscall' in error)) return error;
  const code = 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new EngineError('PermissionDeniedError', `${shown}: the service may not write there (${code})`);
    case 'ENOTDIR':
    case 'EEXIST':
    case 'EISDIR':
    case 'ENAMETOOLONG':
      return new EngineError('ValidationError', `${shown} cannot be a file (${code}); choose another path`);
    default:
      return new EngineError('UnavailableError', `${shown} could not be written (${code})`);
  }
}
