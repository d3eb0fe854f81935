import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { S3Access } from '../engines/s3/s3-access.ts';
import { Scratch } from '../engines/scratch.ts';
import type { Cleanup } from './cleanup.ts';

/** The SDK is loaded by those only who use it: it is the largest of all packages. Nothing is asked of S3 yet. */
export async function connectS3(
  { configured, ...settings }: Config['s3'],
  dataDir: string,
  cleanup: Cleanup,
): Promise<S3Access | undefined> {
  if (!configured) return undefined;
  const { openS3 } = await import('../engines/s3/open-s3.ts');
  const objects = openS3(settings);
  const scratch = new Scratch(join(dataDir, 'scratch'));
  cleanup.add(async () => {
    objects.close();
    await scratch.close();
  });
  return { objects, scratch };
}
