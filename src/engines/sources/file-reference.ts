import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { pathToFileURL } from 'node:url';
import { EngineError } from '../../errors.ts';
import type { Dataset, EngineContext } from '../dataset.ts';
import type { DuckDbSession } from '../duckdb/duckdb-session.ts';
import { quoteLiteral } from '../duckdb/quote.ts';
import type { ResolvedFile } from './file-roots.ts';

const ATTEMPTS = 3;

/**
 * A Parquet file as a dataset, where it lies: nothing is copied, and its checksum says later whether it is still the
 * same file.
 *
 * @throws EngineError `UnavailableError` when it is being written all the time
 */
export async function takeByReference(
  session: DuckDbSession,
  file: ResolvedFile,
  context: EngineContext,
): Promise<Dataset> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const before = await stat(file.path, { bigint: true });
    const hash = createHash('sha256');
    await pipeline(createReadStream(file.path, { highWaterMark: 1024 * 1024 }), hash, { signal: context.signal });
    const sql = `SELECT sum(num_rows)::DOUBLE AS row_count FROM parquet_file_metadata(${quoteLiteral(file.path)})`;
    const [measured] = await session.rows(sql);
    const after = await stat(file.path, { bigint: true });
    if (before.mtimeNs === after.mtimeNs && before.size === after.size && before.ino === after.ino) {
      const sizeBytes = Number(after.size);
      return {
        uri: pathToFileURL(file.path).href,
        rows: Number(measured?.['row_count'] ?? 0),
        bytes: sizeBytes,
        reference: { sha256: hash.digest('hex'), sizeBytes, modifiedNs: String(after.mtimeNs) },
      };
    }
    context.log('warn', `${file.shown} changed while it was read; reading it again`);
  }
  throw new EngineError('UnavailableError', `${file.shown} is being written; it is read when it stays the same`);
}
