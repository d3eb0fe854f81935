/**
 * Which local files a pipeline may touch (spec sections 3 and 7, FILE_ROOTS): relative paths start at the base, and
 * what a path really names, links followed, must lie in one of the roots.
 */
import { glob, realpath, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EngineError } from '../../errors.ts';
import { isS3Uri } from '../s3/s3-address.ts';

export interface FileRoots {
  /** Absolute folders and `s3://bucket/prefix`, or all there is. An empty list allows nothing. */
  roots: readonly string[] | 'any';
  /** Absolute; where relative paths start: the first folder of the roots, else the working folder. */
  base: string;
}

/** Of one glob. */
const MAX_FILES = 10_000;
const MAGIC = /[*?[\]{}]/;

/** A file as the user wrote it (to be told) and where it really is (to be read). */
export interface ResolvedFile {
  /** Relative to the base when it lies there: what messages show. */
  shown: string;
  /** Absolute, without links. */
  path: string;
}

/**
 * The regular files that a path or glob names, sorted by name.
 *
 * @throws EngineError `PermissionDeniedError` when one lies outside the roots (nothing is told about whether it exists);
 *   `ValidationError` when there is none, when one is a folder, or when there are more than 10,000
 */
export async function resolveReadableFiles(pattern: string, fileRoots: FileRoots): Promise<ResolvedFile[]> {
  const written = localPath(pattern);
  const absolute = resolve(fileRoots.base, written);
  const roots = await realRoots(fileRoots);
  // The part before the first wildcard: a glob must not even look around outside.
  await checkInside(MAGIC.test(written) ? fixedPart(absolute) : absolute, written, roots);
  const single = await realFile(absolute, written, roots);
  if (single !== undefined) return [{ shown: written, path: single }];
  if (!MAGIC.test(written)) {
    throw new EngineError(
      'ValidationError',
      `${written}: there is no such file; the path starts at ${describe(fileRoots)}`,
    );
  }
  // Either could lead a glob out of the part that was just checked.
  if (/\{[^}]*\/[^}]*\}/.test(written) || /[*?[{].*\/\.\.(\/|$)/.test(written)) {
    throw new EngineError('ValidationError', `${written}: no / between braces and no .. after a wildcard, please`);
  }
  return expandGlob(written, fileRoots, roots);
}

/**
 * Where a file may be written: absolute, its folder without links. The folder is not made yet; what of it exists must
 * lie in a root.
 *
 * @throws EngineError `PermissionDeniedError` outside the roots; `ValidationError` when it is a folder
 */
export async function resolveWritablePath(path: string, fileRoots: FileRoots): Promise<ResolvedFile> {
  const written = localPath(path);
  if (written.endsWith('/')) throw new EngineError('ValidationError', `${written} names a folder; expected a file`);
  const absolute = resolve(fileRoots.base, written);
  const roots = await realRoots(fileRoots);
  await checkInside(absolute, written, roots);
  const folder = await realOrMissing(dirname(absolute));
  assertInside(folder, written, roots);
  const target = join(folder, basename(absolute));
  if ((await stat(target).catch(() => undefined))?.isDirectory() === true) {
    throw new EngineError('ValidationError', `${written} is a folder; expected a file`);
  }
  return { shown: written, path: target };
}

type RealRoots = readonly string[] | 'any';

async function expandGlob(written: string, fileRoots: FileRoots, roots: RealRoots): Promise<ResolvedFile[]> {
  const found: ResolvedFile[] = [];
  for await (const match of glob(written, { cwd: fileRoots.base })) {
    const path = await realFile(resolve(fileRoots.base, match), match, roots, true);
    if (path !== undefined) found.push({ shown: match, path });
    if (found.length > MAX_FILES) {
      throw new EngineError('ValidationError', `${written} matches more than ${MAX_FILES} files; narrow it down`);
    }
  }
  if (found.length === 0) {
    throw new EngineError('ValidationError', `${written}: no file matches; the path starts at ${describe(fileRoots)}`);
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The real path of a regular file inside the roots; undefined when there is nothing by that name. */
async function realFile(
  absolute: string,
  shown: string,
  roots: RealRoots,
  skipFolders = false,
): Promise<string | undefined> {
  const path = await realpath(absolute).catch((error: unknown) => {
    absentOr(error, shown);
  });
  if (path === undefined) return undefined;
  assertInside(path, shown, roots);
  const found = await stat(path).catch((error: unknown) => {
    absentOr(error, shown);
  });
  if (found?.isDirectory() === true) {
    if (skipFolders) return undefined;
    throw new EngineError(
      'ValidationError',
      `${shown} is a folder; name its files with a glob, such as ${join(shown, '*.csv')}`,
    );
  }
  // Reading a pipe or a device might never end.
  if (found?.isFile() === false) throw new EngineError('ValidationError', `${shown} is not a regular file`);
  return found === undefined ? undefined : path;
}

/** Nothing by that name is an answer; every other failure is told. */
function absentOr(error: unknown, shown: string): void {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') return;
  if (code === 'EACCES' || code === 'EPERM') {
    throw new EngineError('PermissionDeniedError', `${shown}: the service may not read it (${code})`);
  }
  if (code === 'ENAMETOOLONG' || code === 'ELOOP')
    throw new EngineError('ValidationError', `${shown}: no usable path (${code})`);
  throw error;
}

/** Both as written, so that what lies outside is refused before it is looked at, and as it really is. */
async function checkInside(absolute: string, shown: string, roots: RealRoots): Promise<void> {
  if (roots === 'any') return;
  assertInside(await realOrMissing(absolute), shown, roots);
}

function assertInside(path: string, shown: string, roots: RealRoots): void {
  if (roots === 'any' || roots.some((root) => isInside(path, root))) return;
  throw new EngineError(
    'PermissionDeniedError',
    `${shown} lies outside of the folders that pipelines may use (FILE_ROOTS)`,
  );
}

function isInside(path: string, root: string): boolean {
  const way = relative(root, path);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

/** The real path of what exists of a path, and the rest as written. */
async function realOrMissing(absolute: string): Promise<string> {
  const real = await realpath(absolute).catch(() => undefined);
  if (real !== undefined) return real;
  const parent = dirname(absolute);
  return parent === absolute ? absolute : join(await realOrMissing(parent), basename(absolute));
}

async function realRoots(fileRoots: FileRoots): Promise<RealRoots> {
  if (fileRoots.roots === 'any') return 'any';
  const folders = fileRoots.roots.filter((root) => !isS3Uri(root));
  return Promise.all(folders.map((root) => realOrMissing(resolve(root))));
}

function fixedPart(absolute: string): string {
  const parts = absolute.split(sep);
  const magic = parts.findIndex((part) => MAGIC.test(part));
  return parts.slice(0, magic).join(sep) || sep;
}

/** @throws EngineError for what is no local path */
function localPath(path: string): string {
  if (path.includes('\0')) throw new EngineError('ValidationError', 'a path cannot contain a NUL character');
  if (path.startsWith('file:')) {
    try {
      return fileURLToPath(path);
    } catch {
      throw new EngineError('ValidationError', `${path} is no file:// URL of a local file`);
    }
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(path)) {
    throw new EngineError('ValidationError', `${path}: only local files can be named here`);
  }
  return path;
}

function describe(fileRoots: FileRoots): string {
  return fileRoots.roots === 'any' ? "the service's working folder" : 'the first of FILE_ROOTS';
}
