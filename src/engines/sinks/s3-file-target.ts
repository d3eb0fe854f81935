/**
 * An object as the target of a `file` sink. S3 shows it whole by one request, under the condition that what was there
 * when this attempt looked is there still; it carries the load that wrote it, so that another attempt of the same load
 * finds it and writes nothing.
 */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../../errors.ts';
import type { FileSink } from '../../schemas/definition.ts';
import { parseS3Uri, s3Uri } from '../s3/s3-address.ts';
import type { S3Access } from '../s3/s3-access.ts';
import type { ObjectState } from '../s3/s3-objects.ts';
import type { FileRoots } from '../sources/file-roots.ts';
import { checkInsideS3Roots } from '../sources/s3-roots.ts';
import type { FileTarget, WrittenFile } from './file-target.ts';

export interface S3Target {
  path: string;
  format: FileSink['format'];
  roots: FileRoots;
  s3: S3Access;
  /** Names this load in all its attempts. */
  loadName: string;
  /** Other rows under the same name are another load: a retry may have read its sources again. */
  inputUri: string;
}

const LOAD_KEY = 'pipeline-load';
const ROWS_KEY = 'pipeline-rows';
/** How often somebody else may write the object while this attempt uploads. */
const MAX_UPLOADS = 5;
const CONTENT_TYPE: Readonly<Record<FileSink['format'], string>> = {
  csv: 'text/csv',
  json: 'application/x-ndjson',
  parquet: 'application/vnd.apache.parquet',
};

/** @throws EngineError `PermissionDeniedError` outside of the roots, `ValidationError` for what is no object's name */
export async function s3FileTarget(
  { path, format, roots, s3, loadName, inputUri }: S3Target,
  signal: AbortSignal,
): Promise<FileTarget> {
  const at = parseS3Uri(path);
  const uri = s3Uri(at);
  checkInsideS3Roots(at, roots);
  if (at.key === '' || at.key.endsWith('/')) {
    throw new EngineError('ValidationError', `${uri} names a folder; expected an object`);
  }
  const { objects, scratch } = s3;
  const load = createHash('sha256')
    .update(JSON.stringify([loadName, inputUri]))
    .digest('hex');
  const ours = (found: ObjectState | undefined): WrittenFile | undefined =>
    found?.metadata[LOAD_KEY] === load
      ? { rows: Number(found.metadata[ROWS_KEY] ?? 0), bytes: found.sizeBytes, uri }
      : undefined;
  let found = await objects.head(at, signal);
  const folder = await scratch.newFolder();
  const temporary = join(folder, 'rows');
  return {
    shown: uri,
    temporary,
    written: () => Promise.resolve(ours(found)),
    async publish(rows, aborted) {
      const contentType = path.endsWith('.gz') ? 'application/gzip' : CONTENT_TYPE[format];
      const metadata = { [LOAD_KEY]: load, [ROWS_KEY]: String(rows) };
      for (let upload = 1; upload <= MAX_UPLOADS; upload += 1) {
        const condition = found === undefined ? 'absent' : { etag: found.etag };
        const uploaded = await objects.upload({ from: temporary, to: at, metadata, contentType, condition }, aborted);
        if (uploaded !== undefined) return { rows, bytes: uploaded.sizeBytes, uri };
        found = await objects.head(at, aborted);
        const byAnother = ours(found);
        if (byAnother !== undefined) return byAnother;
      }
      throw new EngineError('UnavailableError', `${uri}: others wrote it first, ${MAX_UPLOADS} times in a row`);
    },
    discard: () => rm(folder, { recursive: true, force: true }),
  };
}
