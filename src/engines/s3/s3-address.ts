import { EngineError } from '../../errors.ts';

/** One object, or with a key that ends with `/` (or none) all that lies below. */
export interface S3Address {
  bucket: string;
  /** As it is: S3 decodes nothing in it. */
  key: string;
}

/** `s3a:` and `s3n:` are Hadoop's names for the same. */
const SCHEME = /^s3[an]?:\/\//i;
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$/;
const MAX_KEY_BYTES = 1024;

export function isS3Uri(uri: string): boolean {
  return SCHEME.test(uri);
}

/** @throws EngineError `ValidationError` for what names no object, or one that could be taken for another */
export function parseS3Uri(uri: string): S3Address {
  const [bucket = '', ...segments] = uri.replace(SCHEME, '').split('/');
  const key = segments.join('/');
  if (!isS3Uri(uri) || !BUCKET.test(bucket)) throw fault(uri, 'expected s3://bucket/key');
  if (key.includes('\0') || Buffer.byteLength(key) > MAX_KEY_BYTES) {
    throw fault(uri.slice(0, 100), `a key has at most ${MAX_KEY_BYTES} bytes, none of them NUL`);
  }
  // HTTP clients and gateways take them out of a path, so they would lead out of what was allowed.
  if (segments.some((segment) => segment === '.' || segment === '..')) throw fault(uri, 'no . or .. in keys, please');
  return { bucket, key };
}

export function s3Uri({ bucket, key }: S3Address): string {
  return `s3://${bucket}/${key}`;
}

/** Whether it is the prefix itself or lies below it, at a `/`. */
export function isBelow(address: S3Address, prefix: S3Address): boolean {
  const folder = prefix.key === '' || prefix.key.endsWith('/') ? prefix.key : `${prefix.key}/`;
  return address.bucket === prefix.bucket && (address.key.startsWith(folder) || address.key === prefix.key);
}

function fault(uri: string, message: string): EngineError {
  return new EngineError('ValidationError', `${uri}: ${message}`);
}
