import type { Scratch } from '../scratch.ts';
import type { S3Objects } from './s3-objects.ts';

/** What everything that works with S3 needs: its objects, and room for local copies of them. */
export interface S3Access {
  objects: S3Objects;
  scratch: Scratch;
}
