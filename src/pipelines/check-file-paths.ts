import { resolveWritablePath, type FileRoots } from '../engines/sources/file-roots.ts';
import { isS3Uri, parseS3Uri } from '../engines/s3/s3-address.ts';
import { checkInsideS3Roots } from '../engines/sources/s3-roots.ts';
import { EngineError } from '../errors.ts';
import type { DocumentParts } from '../schemas/document-parts.ts';
import type { Fault } from '../schemas/fault.ts';

/**
 * Faults of paths that lead out of `FILE_ROOTS` as they stand in the document; the activity looks again at what they
 * name then, links followed. Whether there is a file yet is left to the run.
 *
 * @param skip paths that have a fault already, or are only known when a run gives their parameters
 */
export async function checkFilePaths(
  { sources, sinks }: DocumentParts,
  roots: FileRoots,
  skip: (path: string) => boolean,
): Promise<Fault[]> {
  const written = [
    ...Array.from(sources, ([name, source]) => ({ at: `definition.sources.${name}.path`, part: source })),
    ...Array.from(sinks, ([name, { whole }]) => ({ at: `definition.sinks.${name}.path`, part: whole })),
  ];
  const faults: Fault[] = [];
  for (const { at, part } of written) {
    if (part?.type !== 'file' || skip(at)) continue;
    const message = await faultOf(part.path, roots);
    if (message !== undefined) faults.push({ path: at, message });
  }
  return faults;
}

async function faultOf(path: string, roots: FileRoots): Promise<string | undefined> {
  // What a glob finds lies below the folder before its first wildcard.
  const parts = path.split('/');
  const wildcard = parts.findIndex((part) => /[*?[\]{}]/.test(part));
  const fixed = wildcard < 0 ? path : [...parts.slice(0, wildcard), 'any'].join('/');
  try {
    if (isS3Uri(path)) checkInsideS3Roots(parseS3Uri(fixed), roots);
    else await resolveWritablePath(fixed, roots);
    return undefined;
  } catch (error) {
    // What is no address of an object never becomes one; a file may be there when the run is.
    if (error instanceof EngineError && error.type === 'ValidationError' && isS3Uri(path)) return error.message;
    if (!(error instanceof EngineError) || error.type !== 'PermissionDeniedError') return undefined;
    return roots.roots.length === 0
      ? 'files cannot be used: FILE_ROOTS names no folders that pipelines may use'
      : `expected a path within the folders that pipelines may use (FILE_ROOTS), got ${path}`;
  }
}
