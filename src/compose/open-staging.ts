import { fileURLToPath } from 'node:url';
import type { Config } from '../config.ts';
import { LocalStaging } from '../engines/local-staging.ts';
import type { S3Access } from '../engines/s3/s3-access.ts';
import { S3Staging } from '../engines/s3/s3-staging.ts';
import type { Staging } from '../engines/staging.ts';

/** @param s3 there whenever the configuration stages on S3 */
export function openStaging({ stagingUri }: Config, s3: S3Access | undefined): Staging {
  if (s3 !== undefined && stagingUri.startsWith('s3:')) return new S3Staging(s3, stagingUri);
  return new LocalStaging(fileURLToPath(stagingUri));
}
