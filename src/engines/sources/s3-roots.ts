/** Which objects a pipeline may touch: FILE_ROOTS names buckets and prefixes beside folders (spec section 7). */
import { EngineError } from '../../errors.ts';
import { isBelow, isS3Uri, parseS3Uri, s3Uri, type S3Address } from '../s3/s3-address.ts';
import type { FileRoots } from './file-roots.ts';

/** @throws EngineError `PermissionDeniedError` outside of the roots; nothing is told about whether there is an object */
export function checkInsideS3Roots(at: S3Address, { roots }: FileRoots): void {
  if (roots === 'any') return;
  if (roots.filter(isS3Uri).some((root) => isBelow(at, parseS3Uri(root)))) return;
  throw new EngineError(
    'PermissionDeniedError',
    `${s3Uri(at)} lies outside of the buckets and prefixes that pipelines may use (FILE_ROOTS)`,
  );
}
