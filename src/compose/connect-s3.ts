import type { Config } from '../config.ts';
import type { S3Objects } from '../engines/s3/s3-objects.ts';

/** The SDK is loaded by those only who use it: it is the largest of all packages. Nothing is asked of S3 yet. */
export async function connectS3({ configured, ...settings }: Config['s3']): Promise<S3Objects | undefined> {
  if (!configured) return undefined;
  const { openS3 } = await import('../engines/s3/open-s3.ts');
  return openS3(settings);
}
