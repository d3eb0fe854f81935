/** The objects of an S3 service: found, read in a stream, deleted. What is written, `upload-object.ts` writes. */
import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { EngineError } from '../../errors.ts';
import { s3Uri, type S3Address } from './s3-address.ts';
import { isNoSuchKey, isNotFound, isPreconditionFailed, s3Error } from './s3-error.ts';
import { until } from './until.ts';
import { UPLOAD_KEY, uploadObject, type Upload, type Uploaded } from './upload-object.ts';

/** An object as a listing tells it. */
export interface ListedObject extends S3Address {
  sizeBytes: number;
  etag: string;
  /** Milliseconds since 1970. */
  writtenMs: number;
}

export interface ObjectState {
  etag: string;
  sizeBytes: number;
  /** Milliseconds since 1970. */
  writtenMs: number;
  /** What its writer said of it; names in lower case. */
  metadata: Readonly<Record<string, string>>;
}

/** How often one file's transfer goes on where a connection broke. */
const DOWNLOAD_TRIES = 4;
/** What DeleteObjects takes at once. */
const DELETED_AT_ONCE = 1000;

export class S3Objects {
  readonly #client: S3Client;

  constructor(client: S3Client) {
    this.#client = client;
  }

  /** All objects whose keys start so, in the order of their keys. */
  async *list(prefix: S3Address, signal?: AbortSignal): AsyncGenerator<ListedObject> {
    let token: string | undefined;
    do {
      const command = new ListObjectsV2Command({
        Bucket: prefix.bucket,
        Prefix: prefix.key,
        ContinuationToken: token,
      });
      const page = await this.#told('list', prefix, signal, () => this.#client.send(command, until(signal)));
      for (const { Key: key, Size: sizeBytes = 0, ETag: etag = '', LastModified: written } of page.Contents ?? []) {
        if (key !== undefined) {
          yield { bucket: prefix.bucket, key, sizeBytes, etag, writtenMs: written?.getTime() ?? Date.now() };
        }
      }
      token = page.NextContinuationToken;
    } while (token !== undefined);
  }

  /** Undefined when there is no such object (or bucket: S3 does not tell them apart here). */
  async head(at: S3Address, signal?: AbortSignal): Promise<ObjectState | undefined> {
    const command = new HeadObjectCommand({ Bucket: at.bucket, Key: at.key });
    return this.#told('look at', at, signal, async () => {
      try {
        const found = await this.#client.send(command, until(signal));
        return {
          etag: found.ETag ?? '',
          sizeBytes: found.ContentLength ?? 0,
          writtenMs: found.LastModified?.getTime() ?? 0,
          metadata: found.Metadata ?? {},
        };
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    });
  }

  /** The whole content, for what is known to be small. */
  async read(at: S3Address, signal?: AbortSignal): Promise<Buffer> {
    const command = new GetObjectCommand({ Bucket: at.bucket, Key: at.key });
    return this.#told('read', at, signal, async () => {
      const { Body } = await this.#client.send(command, until(signal));
      return buffer(Body as Readable);
    });
  }

  /** The same; undefined when there is no such object. */
  async readIfThere(at: S3Address, signal?: AbortSignal): Promise<Buffer | undefined> {
    const command = new GetObjectCommand({ Bucket: at.bucket, Key: at.key });
    return this.#told('read', at, signal, async () => {
      try {
        const { Body } = await this.#client.send(command, until(signal));
        return await buffer(Body as Readable);
      } catch (error) {
        if (isNoSuchKey(error)) return undefined;
        throw error;
      }
    });
  }

  /**
   * Some bytes of it.
   *
   * @param range as HTTP has it: `bytes=0-3` the first four, `bytes=-8` the last eight, or all when there are fewer
   */
  async readRange(at: S3Address, range: string, etag: string, signal?: AbortSignal): Promise<Buffer> {
    const command = new GetObjectCommand({ Bucket: at.bucket, Key: at.key, Range: range, IfMatch: etag });
    return this.#told('read', at, signal, async () => {
      const { Body } = await this.#client.send(command, until(signal));
      return buffer(Body as Readable);
    });
  }

  /**
   * Copies an object to a new local file, in a stream that goes on where it broke. The SDK compares checksums where S3
   * tells them; the length is compared always.
   *
   * @param etag of the version that is meant
   * @throws EngineError `ValidationError` when there is no such object, `UnavailableError` when it is another one by now
   */
  async download(
    at: S3Address,
    path: string,
    { etag, signal }: { etag?: string; signal?: AbortSignal | undefined },
  ): Promise<void> {
    const wanted: Version = { etag, sizeBytes: undefined };
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#downloadRest(at, path, wanted, signal);
        return;
      } catch (error) {
        signal?.throwIfAborted();
        if (isPreconditionFailed(error)) {
          throw new EngineError('UnavailableError', `${s3Uri(at)} is being written; it is read when it stays the same`);
        }
        const told = s3Error(error, 'read', at);
        if (attempt === DOWNLOAD_TRIES || !(told instanceof EngineError && told.retryable)) throw told;
      }
    }
  }

  /** What the file has not got yet of the version that the first answer told. */
  async #downloadRest(at: S3Address, path: string, wanted: Version, signal: AbortSignal | undefined): Promise<void> {
    const offset = wanted.sizeBytes === undefined ? 0 : ((await stat(path).catch(() => undefined))?.size ?? 0);
    if (offset > 0 && offset === wanted.sizeBytes) return;
    const command = new GetObjectCommand({
      Bucket: at.bucket,
      Key: at.key,
      ...(wanted.etag !== undefined && { IfMatch: wanted.etag }),
      ...(offset > 0 && { Range: `bytes=${offset}-` }),
    });
    const { Body, ETag, ContentLength = 0 } = await this.#client.send(command, until(signal));
    wanted.etag ??= ETag;
    wanted.sizeBytes ??= ContentLength;
    const file = createWriteStream(path, { flags: offset > 0 ? 'a' : 'w', mode: 0o600 });
    await pipeline(Body as Readable, file, { ...(signal && { signal }) });
    const { size } = await stat(path);
    if (size === wanted.sizeBytes) return;
    throw new EngineError('UnavailableError', `${s3Uri(at)}: ${size} of its ${wanted.sizeBytes} bytes came`);
  }

  /** A new object with a small content. */
  async put(at: S3Address, content: Uint8Array): Promise<void> {
    const command = new PutObjectCommand({ Bucket: at.bucket, Key: at.key, Body: content });
    await this.#told('write', at, undefined, () => this.#client.send(command));
  }

  /** The same unless there is one: then false. True when it is there by this call, also when S3's answer was lost. */
  async putIfAbsent(at: S3Address, content: Uint8Array): Promise<boolean> {
    const token = randomUUID();
    const Metadata = { [UPLOAD_KEY]: token };
    const command = new PutObjectCommand({
      ...{ Bucket: at.bucket, Key: at.key, Body: content, Metadata },
      IfNoneMatch: '*',
    });
    return this.#told('write', at, undefined, async () => {
      try {
        await this.#client.send(command);
        return true;
      } catch (error) {
        const found = await this.head(at).catch(() => undefined);
        if (found?.metadata[UPLOAD_KEY] === token) return true;
        if (isPreconditionFailed(error)) return false;
        throw error;
      }
    });
  }

  /** Within S3, up to its limit of 5 GiB. */
  async copy(from: S3Address, to: S3Address): Promise<void> {
    const CopySource = `${from.bucket}/${from.key.split('/').map(encodeURIComponent).join('/')}`;
    const command = new CopyObjectCommand({ Bucket: to.bucket, Key: to.key, CopySource });
    await this.#told('copy', from, undefined, () => this.#client.send(command));
  }

  /** See {@link uploadObject}. */
  upload(upload: Upload, signal?: AbortSignal): Promise<Uploaded | undefined> {
    return this.#told('write', upload.to, signal, () =>
      uploadObject(this.#client, { ...upload, head: () => this.head(upload.to) }, signal),
    );
  }

  /** Nothing happens when it is gone already. */
  async delete(at: S3Address): Promise<void> {
    const command = new DeleteObjectCommand({ Bucket: at.bucket, Key: at.key });
    await this.#told('delete', at, undefined, () => this.#client.send(command));
  }

  /** Everything whose key starts so. Doing it again is harmless. */
  async deleteAll(prefix: S3Address): Promise<void> {
    let batch: ListedObject[] = [];
    for await (const object of this.list(prefix)) {
      batch.push(object);
      if (batch.length < DELETED_AT_ONCE) continue;
      await this.#deleteBatch(prefix, batch);
      batch = [];
    }
    if (batch.length > 0) await this.#deleteBatch(prefix, batch);
  }

  close(): void {
    this.#client.destroy();
  }

  async #deleteBatch(prefix: S3Address, batch: readonly ListedObject[]): Promise<void> {
    const Objects = batch.map(({ key }) => ({ Key: key }));
    const command = new DeleteObjectsCommand({ Bucket: prefix.bucket, Delete: { Objects, Quiet: true } });
    const { Errors = [] } = await this.#told('delete', prefix, undefined, () => this.#client.send(command));
    if (Errors.length === 0) return;
    const failed = `${Errors.length} objects below ${s3Uri(prefix)}`;
    throw new EngineError('UnavailableError', `S3 could not delete ${failed} (${Errors[0]?.Code ?? 'no reason told'})`);
  }

  async #told<T>(doing: string, at: S3Address, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      throw s3Error(error, doing, at);
    }
  }
}

/** Filled in by the first answer. */
interface Version {
  etag: string | undefined;
  sizeBytes: number | undefined;
}
