/** The objects that a path of a `file` source names, brought to this machine for DuckDB, which cannot reach S3 itself. */
import { mkdir } from 'node:fs/promises';
import { posix } from 'node:path';
import { EngineError } from '../../errors.ts';
import type { EngineContext } from '../dataset.ts';
import { inParallel } from '../iceberg/in-parallel.ts';
import { requireSpace } from '../s3/require-space.ts';
import { parseS3Uri, s3Uri, type S3Address } from '../s3/s3-address.ts';
import type { ListedObject, S3Objects } from '../s3/s3-objects.ts';
import type { FileRoots, ResolvedFile } from './file-roots.ts';
import { checkInsideS3Roots } from './s3-roots.ts';

/** Of one glob. */
const MAX_FILES = 10_000;
const MAGIC = /[*?[\]{}]/;
/**
 * The objects that a path or glob names, sorted by key.
 *
 * @throws EngineError `PermissionDeniedError` outside the roots; `ValidationError` when there is none, or more than 10,000
 */
export async function resolveObjects(
  pattern: string,
  s3: S3Objects,
  roots: FileRoots,
  signal: AbortSignal,
): Promise<ListedObject[]> {
  const at = parseS3Uri(pattern);
  checkInsideS3Roots(fixedPart(at), roots);
  return MAGIC.test(at.key) ? expandGlob(at, s3, signal) : [await oneObject(at, s3, signal)];
}

async function oneObject(at: S3Address, s3: S3Objects, signal: AbortSignal): Promise<ListedObject> {
  const found = at.key === '' || at.key.endsWith('/') ? undefined : await s3.head(at, signal);
  if (found !== undefined) return { ...at, ...found, writtenMs: 0 };
  // A listing also tells whether it is the bucket that is missing.
  const folder = { ...at, key: at.key === '' ? '' : `${at.key.replace(/\/$/, '')}/` };
  for await (const { key } of s3.list(folder, signal)) {
    const example = `${key.slice(0, key.lastIndexOf('/') + 1)}*${posix.extname(key)}`;
    throw fault(
      at,
      `names no object but a folder; name its files with a glob, such as ${s3Uri({ ...at, key: example })}`,
    );
  }
  throw fault(at, 'there is no such object');
}

async function expandGlob(at: S3Address, s3: S3Objects, signal: AbortSignal): Promise<ListedObject[]> {
  const found: ListedObject[] = [];
  const prefix = { ...at, key: at.key.slice(0, at.key.search(MAGIC)) };
  for await (const object of s3.list(prefix, signal)) {
    // What is called like the pattern is what was meant.
    if (object.key === at.key) return [object];
    if (object.key.endsWith('/') || !posix.matchesGlob(object.key, at.key)) continue;
    found.push(object);
    if (found.length > MAX_FILES) throw fault(at, `matches more than ${MAX_FILES} objects; narrow it down`);
  }
  if (found.length === 0) throw fault(at, 'no object matches');
  return found;
}

/**
 * Copies objects into a folder.
 *
 * @param folder absolute, ends with `/`; the caller removes it
 * @throws EngineError `UnavailableError` when they do not fit on the disk
 */
export async function copyObjects(
  s3: S3Objects,
  objects: readonly ListedObject[],
  folder: string,
  context: EngineContext,
): Promise<ResolvedFile[]> {
  await requireSpace(objects, folder);
  let copied = 0;
  return inParallel([...objects.entries()], async ([index, object]) => {
    const path = `${folder}${localName(object.key, index)}`;
    await mkdir(posix.dirname(path), { recursive: true });
    await s3.download(object, path, { etag: object.etag, signal: context.signal });
    copied += 1;
    context.progress((copied / objects.length) * 0.5);
    return { shown: s3Uri(object), path };
  });
}

/** Folders `column=value` are kept, since readers make columns of them; the number tells equal names apart. */
function localName(key: string, index: number): string {
  const segments = key.split('/');
  const name = (segments.pop() ?? '').replaceAll(/[^\w.=-]/g, '_').slice(-100);
  const partitions = segments.filter((segment) => segment.includes('=') && Buffer.byteLength(segment) <= 255);
  return [...partitions, `${index}-${name}`].join('/');
}

/** The folder before the first wildcard: a glob must not even look around outside. */
function fixedPart(at: S3Address): S3Address {
  const magic = at.key.search(MAGIC);
  return magic < 0 ? at : { ...at, key: at.key.slice(0, at.key.lastIndexOf('/', magic) + 1) };
}

function fault(at: S3Address, message: string): EngineError {
  return new EngineError('ValidationError', `${s3Uri(at)}: ${message}`);
}
