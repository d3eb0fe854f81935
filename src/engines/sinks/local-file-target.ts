/**
 * A local file as the target of a `file` sink: a temporary of this attempt's own beside it, flushed to the disk, then
 * renamed over it. An attempt that is killed leaves a temporary, which the next one of the same load removes.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EngineError } from '../../errors.ts';
import { type FileRoots, resolveWritablePath } from '../sources/file-roots.ts';
import type { FileTarget } from './file-target.ts';

/** @throws EngineError `PermissionDeniedError` outside of the roots, `ValidationError` for a path that cannot be */
export async function localFileTarget(path: string, roots: FileRoots, loadName: string): Promise<FileTarget> {
  const target = await resolveWritablePath(path, roots);
  const { shown } = target;
  const folder = dirname(target.path);
  const prefix = temporaryPrefix(target.path, loadName);
  const temporary = join(folder, `${prefix}${randomUUID()}.tmp`);
  try {
    await mkdir(folder, { recursive: true });
    await removeLeftovers(folder, prefix);
  } catch (error) {
    throw fileError(error, shown);
  }
  return {
    shown,
    temporary,
    // A file has no place for a load's name: it is written again, to the same effect.
    written: () => Promise.resolve(undefined),
    async publish(rows, signal) {
      try {
        await flush(temporary);
        // The last moment at which an attempt that was given up can still leave the target alone.
        signal.throwIfAborted();
        const bytes = (await stat(temporary)).size;
        await rename(temporary, target.path);
        await flush(folder);
        return { rows, bytes, uri: pathToFileURL(target.path).href };
      } catch (error) {
        throw fileError(error, shown);
      }
    },
    discard: () => rm(temporary, { force: true }),
  };
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
