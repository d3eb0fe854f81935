import { posix } from 'node:path';
import { isS3Uri, parseS3Uri, s3Uri } from '../../s3/s3-address.ts';

/**
 * One form for the several that name the same file: `file:/a`, `file:///a`, `file://localhost/a` and `/a`, with or without
 * needless slashes; `s3a://` and `s3n://` for `s3://`. A key of S3 is taken as it stands, since every slash counts in it.
 */
export function canonicalPath(uri: string): string {
  if (isS3Uri(uri)) return s3Uri(parseS3Uri(uri));
  const path = uri.replace(/^file:(?:\/\/(?:localhost)?(?=\/))?/, '');
  return path.startsWith('/') ? posix.normalize(path) : uri;
}

/** Whether a file is in the folder or in one below it. Both canonical. */
export function isInFolder(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}

/** The last part of a path, also of one that is percent-encoded: what two forms of one path surely share. */
export function fileNameOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
