/**
 * A local file becomes an object that appears whole and at once: by one PUT, or by the last request of a multipart
 * upload (Amazon S3 user guide, "Uploading objects", "Conditional writes"). In memory are a few parts, never the file.
 */
import { randomUUID } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
  type CompletedPart,
} from '@aws-sdk/client-s3';
import { EngineError } from '../../errors.ts';
import { s3Uri, type S3Address } from './s3-address.ts';
import { isPreconditionFailed } from './s3-error.ts';
import { until } from './until.ts';

/** Written only while the object is still like this. */
type Condition = 'absent' | { etag: string };

export interface Upload {
  from: string;
  to: S3Address;
  /** ASCII, names in lower case. */
  metadata?: Readonly<Record<string, string>>;
  contentType?: string;
  condition?: Condition;
}

export interface Uploaded {
  etag: string;
  sizeBytes: number;
}

interface UploadWithLook extends Upload {
  /** What is there by now. */
  head: () => Promise<{ etag: string; metadata: Readonly<Record<string, string>> } | undefined>;
}

const PART_BYTES = 16 * 1024 * 1024;
const MAX_PARTS = 10_000;
const PARTS_AT_ONCE = 3;
/** Longer than a load may take: what is older was left by a process that was killed. */
const ABANDONED_AFTER_MS = 24 * 3_600_000;
const ABORT_AGAIN_AFTER_MS = [0, 200, 1000];
/** Names this one upload, so that a lost answer can be looked up. */
export const UPLOAD_KEY = 'pipeline-upload';

/**
 * Undefined when the condition does not hold (any more). The object is there when this returns, also when the answer to
 * the request that made it was lost.
 *
 * @throws what the SDK throws; `s3-error.ts` understands it
 */
export async function uploadObject(
  client: S3Client,
  upload: UploadWithLook,
  signal: AbortSignal | undefined,
): Promise<Uploaded | undefined> {
  const token = randomUUID();
  const file = await open(upload.from, 'r');
  try {
    const { size } = await file.stat();
    const write = size <= PART_BYTES ? putWhole : putInParts;
    try {
      const etag = await write(client, { ...upload, file, sizeBytes: size, token }, signal);
      return { etag, sizeBytes: size };
    } catch (error) {
      const found = signal?.aborted === true ? undefined : await upload.head().catch(() => undefined);
      if (found?.metadata[UPLOAD_KEY] === token) return { etag: found.etag, sizeBytes: size };
      if (isPreconditionFailed(error)) return undefined;
      throw error;
    }
  } finally {
    await file.close();
  }
}

interface OpenUpload extends Upload {
  file: FileHandle;
  sizeBytes: number;
  token: string;
}

function described({ to, metadata, contentType, token }: OpenUpload) {
  return {
    Bucket: to.bucket,
    Key: to.key,
    Metadata: { ...metadata, [UPLOAD_KEY]: token },
    ...(contentType !== undefined && { ContentType: contentType }),
  };
}

function conditionOf({ condition }: Upload) {
  if (condition === undefined) return {};
  return condition === 'absent' ? { IfNoneMatch: '*' } : { IfMatch: condition.etag };
}

async function putWhole(client: S3Client, upload: OpenUpload, signal: AbortSignal | undefined): Promise<string> {
  const Body = await readPart(upload, 0, upload.sizeBytes);
  const put = new PutObjectCommand({ ...described(upload), ...conditionOf(upload), Body });
  return (await client.send(put, until(signal))).ETag ?? '';
}

async function putInParts(client: S3Client, upload: OpenUpload, signal: AbortSignal | undefined): Promise<string> {
  const { Bucket, Key, ...more } = described(upload);
  await abortAbandoned(client, upload.to, signal).catch(() => undefined);
  const create = new CreateMultipartUploadCommand({ Bucket, Key, ...more, ChecksumAlgorithm: 'CRC32' });
  const { UploadId } = await client.send(create, until(signal));
  try {
    const Parts = await sendParts(client, upload, UploadId, signal);
    const complete = new CompleteMultipartUploadCommand({
      ...{ Bucket, Key, UploadId, MultipartUpload: { Parts } },
      ...conditionOf(upload),
    });
    return (await client.send(complete, until(signal))).ETag ?? '';
  } catch (error) {
    await abandonUpload(client, new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
    throw error;
  }
}

async function sendParts(
  client: S3Client,
  upload: OpenUpload,
  UploadId: string | undefined,
  signal: AbortSignal | undefined,
): Promise<CompletedPart[]> {
  const { to, sizeBytes } = upload;
  const partBytes = Math.max(PART_BYTES, Math.ceil(sizeBytes / MAX_PARTS));
  const parts: CompletedPart[] = [];
  let next = 0;
  const failed = new AbortController();
  const stop = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  const sender = async (): Promise<void> => {
    for (let at = next++; at * partBytes < sizeBytes; at = next++) {
      const Body = await readPart(upload, at * partBytes, Math.min(partBytes, sizeBytes - at * partBytes));
      const PartNumber = at + 1;
      const part = { Bucket: to.bucket, Key: to.key, UploadId, PartNumber, Body, ChecksumAlgorithm: 'CRC32' as const };
      const { ETag, ChecksumCRC32 } = await client.send(new UploadPartCommand(part), until(stop));
      parts[at] = { PartNumber, ETag, ...(ChecksumCRC32 !== undefined && { ChecksumCRC32 }) };
    }
  };
  // The first failure is the one that is told; the others end by it, and are waited for.
  let failure: { error: unknown } | undefined;
  const senders = Array.from({ length: PARTS_AT_ONCE }, () =>
    sender().catch((error: unknown) => {
      failure ??= { error };
      failed.abort();
    }),
  );
  await Promise.all(senders);
  if (failure !== undefined) throw failure.error;
  return parts;
}

async function readPart({ file, to }: OpenUpload, position: number, length: number): Promise<Buffer> {
  const part = Buffer.allocUnsafe(length);
  for (let filled = 0; filled < length;) {
    const { bytesRead } = await file.read(part, filled, length - filled, position + filled);
    if (bytesRead === 0) throw new EngineError('UnavailableError', `what was to become ${s3Uri(to)} got shorter`);
    filled += bytesRead;
  }
  return part;
}

/**
 * Parts of an upload that nobody completes are invisible, but paid for. A part that was still on its way may come after
 * the first request, so it is made until S3 says that there is no such upload (Amazon S3 API, AbortMultipartUpload).
 */
async function abandonUpload(client: S3Client, abort: AbortMultipartUploadCommand): Promise<void> {
  for (const waitMs of ABORT_AGAIN_AFTER_MS) {
    await sleep(waitMs);
    const gone = await client.send(abort).then(
      () => false,
      () => true,
    );
    if (gone) return;
  }
}

/** Uploads of the same object that a killed process left. */
async function abortAbandoned(client: S3Client, to: S3Address, signal: AbortSignal | undefined): Promise<void> {
  const { Uploads = [] } = await client.send(
    new ListMultipartUploadsCommand({ Bucket: to.bucket, Prefix: to.key }),
    until(signal),
  );
  for (const { Key, UploadId, Initiated } of Uploads) {
    if (Key !== to.key || (Initiated?.getTime() ?? Date.now()) > Date.now() - ABANDONED_AFTER_MS) continue;
    await client.send(new AbortMultipartUploadCommand({ Bucket: to.bucket, Key, UploadId }), until(signal));
  }
}
