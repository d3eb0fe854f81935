/** What an S3 service answers, or fails to, as an error of this service: the one place where that is decided. */
import { EngineError, messageOf, type EngineErrorType } from '../../errors.ts';
import { s3Uri, type S3Address } from './s3-address.ts';

interface Thrown {
  name?: string;
  code?: string;
  syscall?: string;
  $metadata?: { httpStatusCode?: number };
}

/** In words, by S3's code of the error (Amazon S3 API reference, "Error responses"). */
const BY_CODE: Readonly<Record<string, (at: S3Address) => [EngineErrorType, string]>> = {
  NoSuchBucket: ({ bucket }) => ['ValidationError', `there is no bucket ${bucket}; make it, or name another one`],
  NoSuchKey: (at) => ['ValidationError', `there is no object ${s3Uri(at)}`],
  InvalidBucketName: ({ bucket }) => ['ValidationError', `${bucket} cannot be a bucket's name`],
  KeyTooLongError: (at) => ['ValidationError', `${s3Uri(at)}: the key is too long`],
  InvalidAccessKeyId: refusedKeys,
  SignatureDoesNotMatch: refusedKeys,
  InvalidToken: refusedKeys,
  ExpiredToken: refusedKeys,
  // What the Versity gateway says of a key id that it does not know.
  XAdminUserNotFound: refusedKeys,
  PermanentRedirect: otherRegion,
  AuthorizationHeaderMalformed: otherRegion,
  IllegalLocationConstraintException: otherRegion,
  RequestTimeTooSkewed: () => ['UnavailableError', 'S3 refuses requests of this machine, whose clock is wrong'],
  RequestTimeout: ({ bucket }) => ['UnavailableError', `S3 did not get what it was sent for ${bucket} in time`],
  CredentialsProviderError: () => [
    'UnavailableError',
    'no credentials for S3 were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role',
  ],
};

function refusedKeys({ bucket }: S3Address): [EngineErrorType, string] {
  return [
    'PermissionDeniedError',
    `S3 does not accept the credentials for ${bucket}; check AWS_ACCESS_KEY_ID and what belongs to it`,
  ];
}

function otherRegion({ bucket }: S3Address): [EngineErrorType, string] {
  return ['ValidationError', `the bucket ${bucket} is in another region; set AWS_REGION to the one that it is in`];
}

/**
 * Never with what was thrown as its cause, nor with its message: there may be keys and signatures in it.
 *
 * @param doing such as `read`, `write to`
 */
export function s3Error(error: unknown, doing: string, at: S3Address): unknown {
  if (error instanceof EngineError) return error;
  const { name = '', code = '', syscall, $metadata } = error as Thrown;
  const isLocal = syscall !== undefined && /^(open|write|read|mkdir|close|fsync|stat|unlink)$/.test(syscall);
  if (isLocal && (code === 'ENOSPC' || code === 'EDQUOT')) {
    return new EngineError('UnavailableError', 'the disk for copies of objects is full');
  }
  // `read` is also what a socket does; those have a code of the network.
  if (isLocal && !/^(ECONN|EPIPE|ETIMEDOUT|ENET|EHOST)/.test(code)) return error;
  const told = Object.hasOwn(BY_CODE, name) ? BY_CODE[name]?.(at) : undefined;
  if (told !== undefined) return new EngineError(...told);
  const status = $metadata?.httpStatusCode;
  return new EngineError(...byStatus(status, named(name, code, error, status), doing, at));
}

function byStatus(status = 0, told: string, doing: string, at: S3Address): [EngineErrorType, string] {
  const target = at.key === '' ? `the bucket ${at.bucket}` : s3Uri(at);
  if (status === 401 || status === 403) {
    return [
      'PermissionDeniedError',
      `S3 does not let this service ${doing} ${target} (${told}); check its credentials and what is granted to them`,
    ];
  }
  if (status === 404) return ['ValidationError', `there is no ${target} (${told})`];
  if (status === 301 || status === 307) return otherRegion(at);
  if (status === 405 || status === 501) {
    return ['UnsupportedError', `this S3 service cannot do what is needed to ${doing} ${target} (${told})`];
  }
  const isFinal = status >= 400 && status < 500 && status !== 408 && status !== 409 && status !== 429;
  if (isFinal) return ['ValidationError', `S3 refused to ${doing} ${target} (${told})`];
  return ['UnavailableError', `S3 is away or busy: could not ${doing} ${target} (${told})`];
}

/** A code such as `SlowDown` or `ECONNREFUSED`; no code is longer, and no key looks like one. */
function named(name: string, code: string, error: unknown, status: number | undefined): string {
  const told = code === '' ? name : code;
  if (/^[A-Z][A-Za-z_]{2,60}$/.test(told) && told !== 'Error' && told !== 'Unknown') return told;
  if (status !== undefined) return String(status);
  return /timed? ?out/i.test(messageOf(error)) ? 'time-out' : 'no usable answer';
}

/** The condition that a write was under does not hold. */
export function isPreconditionFailed(error: unknown): boolean {
  return (error as Thrown).$metadata?.httpStatusCode === 412;
}

/** HEAD has no body that would tell a code. */
export function isNotFound(error: unknown): boolean {
  return (error as Thrown).$metadata?.httpStatusCode === 404;
}

/** That there is no object, which a missing bucket is not. */
export function isNoSuchKey(error: unknown): boolean {
  return (error as Thrown).name === 'NoSuchKey';
}
