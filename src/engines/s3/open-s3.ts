import { S3Client } from '@aws-sdk/client-s3';
import { S3Objects } from './s3-objects.ts';

export interface S3Settings {
  /** Where it is not AWS: buckets are then in the path, not in the host's name. */
  endpoint: string | undefined;
  /** Of no meaning to most services that are not AWS. */
  region: string | undefined;
  /** Without it the SDK looks where AWS's tools do: files, web identities, the roles of containers and machines. */
  accessKeyId: string | undefined;
  secretAccessKey: string | undefined;
  sessionToken: string | undefined;
}

/** Of one request, its waits included well below a step's; a step that fails by it is tried again by its policy. */
const MAX_ATTEMPTS = 4;
const CONNECT_WITHIN_MS = 5_000;
/** Nothing comes or goes for so long: the connection is dead. */
const IDLE_MS = 30_000;

/** Nothing is asked of S3 yet: the service starts also while it is away. */
export function openS3(settings: S3Settings): S3Objects {
  const { endpoint, region, accessKeyId, secretAccessKey, sessionToken } = settings;
  const client = new S3Client({
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
    region: region ?? 'us-east-1',
    ...(accessKeyId !== undefined &&
      secretAccessKey !== undefined && {
        credentials: { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) },
      }),
    maxAttempts: MAX_ATTEMPTS,
    requestHandler: { connectionTimeout: CONNECT_WITHIN_MS, socketTimeout: IDLE_MS },
  });
  return new S3Objects(client);
}
