import { rm } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { EngineError } from '../../errors.ts';
import type { Dataset } from '../dataset.ts';
import type { DatasetCopies, HeldDataset } from '../duckdb/dataset-copies.ts';
import { inParallel } from '../iceberg/in-parallel.ts';
import { footerFiles, parquetObjects } from './dataset-on-s3.ts';
import { requireSpace } from './require-space.ts';
import { isS3Uri, parseS3Uri } from './s3-address.ts';
import type { S3Access } from './s3-access.ts';
import type { ListedObject } from './s3-objects.ts';

/** What nobody reads now may be read by the next step; more than this is not kept for it. */
const IDLE_BYTES = 1024 * 1024 * 1024;

interface Copy {
  dataset: Promise<Dataset>;
  whole: boolean;
  users: number;
  bytes: number;
  /** Ends a transfer that nobody waits for any more. */
  unwanted: AbortController;
}

/**
 * Copies of what steps left in staging on S3: one for all who read it at a time, and kept a while for those who read it
 * next. What an attempt handed over never changes, so neither does a copy.
 */
export class S3DatasetCopies implements DatasetCopies {
  readonly #s3: S3Access;
  /** Least recently used first. */
  readonly #copies = new Map<string, Copy>();

  constructor(s3: S3Access) {
    this.#s3 = s3;
  }

  async hold(dataset: Dataset, signal: AbortSignal): Promise<HeldDataset> {
    if (!isS3Uri(dataset.uri)) return { dataset, release: () => Promise.resolve() };
    signal.throwIfAborted();
    const copy = this.#copies.get(dataset.uri) ?? this.#begin(dataset);
    this.#copies.delete(dataset.uri);
    this.#copies.set(dataset.uri, copy);
    copy.users += 1;
    const release = () => this.#release(dataset.uri, copy);
    try {
      return { dataset: await unlessAborted(copy.dataset, signal), release };
    } catch (error) {
      await release();
      throw error;
    }
  }

  async holdFooters(dataset: Dataset, signal: AbortSignal): Promise<HeldDataset> {
    if (!isS3Uri(dataset.uri)) return { dataset, release: () => Promise.resolve() };
    const objects = await parquetObjects(this.#s3.objects, parseS3Uri(dataset.uri), signal);
    requireWhole(dataset, objects);
    const folder = await this.#s3.scratch.newFolder();
    const release = () => rm(folder, { recursive: true, force: true });
    try {
      await footerFiles(this.#s3.objects, objects, folder, signal);
      return { dataset: { ...dataset, uri: pathToFileURL(folder).href }, release };
    } catch (error) {
      await release();
      throw error;
    }
  }

  #begin(dataset: Dataset): Copy {
    const unwanted = new AbortController();
    const copying = this.#copy(dataset, unwanted.signal);
    const copy: Copy = { dataset: copying, whole: false, users: 0, bytes: dataset.bytes, unwanted };
    copying.then(
      () => {
        copy.whole = true;
      },
      () => {
        // The next one who asks begins anew.
        if (this.#copies.get(dataset.uri) === copy) this.#copies.delete(dataset.uri);
      },
    );
    return copy;
  }

  async #copy(dataset: Dataset, signal: AbortSignal): Promise<Dataset> {
    const objects = await parquetObjects(this.#s3.objects, parseS3Uri(dataset.uri), signal);
    requireWhole(dataset, objects);
    const folder = await this.#s3.scratch.newFolder();
    try {
      await requireSpace(objects, folder);
      await inParallel(objects, async (object) => {
        const name = object.key.slice(object.key.lastIndexOf('/') + 1);
        await this.#s3.objects.download(object, folder + name, { etag: object.etag, signal });
      });
      return { ...dataset, uri: pathToFileURL(folder).href };
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  async #release(uri: string, copy: Copy): Promise<void> {
    copy.users -= 1;
    if (copy.users > 0) return;
    if (!copy.whole) await this.#drop(uri, copy);
    const idle = [...this.#copies].filter(([, { users }]) => users === 0);
    let excessBytes = idle.reduce((sum, [, { bytes }]) => sum + bytes, 0) - IDLE_BYTES;
    for (const [idleUri, unused] of idle) {
      if (excessBytes <= 0) return;
      excessBytes -= unused.bytes;
      if (unused.users === 0) await this.#drop(idleUri, unused);
    }
  }

  async #drop(uri: string, copy: Copy): Promise<void> {
    if (this.#copies.get(uri) === copy) this.#copies.delete(uri);
    copy.unwanted.abort(new Error('nobody waits for the copy'));
    const copied = await copy.dataset.catch(() => undefined);
    if (copied !== undefined) await rm(new URL(copied.uri), { recursive: true, force: true });
  }
}

/** @throws EngineError `ValidationError`: rows that are missing must not be missed in silence */
function requireWhole(dataset: Dataset, objects: readonly ListedObject[]): void {
  const bytes = objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (objects.length > 0 && bytes === dataset.bytes) return;
  throw new EngineError(
    'ValidationError',
    `what the step before left in staging is not there any more (${bytes} of ${dataset.bytes} bytes); start the run anew`,
  );
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', abort);
    });
  });
}
