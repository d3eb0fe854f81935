/** Staging on S3: an attempt works in a private folder of its machine, and its output is uploaded when it is whole. */
import { randomUUID } from 'node:crypto';
import { access, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Dataset } from '../dataset.ts';
import { datasetFiles } from '../duckdb/dataset-files.ts';
import { inParallel } from '../iceberg/in-parallel.ts';
import {
  folderName,
  runFolders,
  stepFolders,
  type StagedRun,
  type StagedStep,
  type Staging,
  type StagingFolder,
} from '../staging.ts';
import { isS3Uri, parseS3Uri, s3Uri, type S3Address } from './s3-address.ts';
import type { S3Access } from './s3-access.ts';
import { S3JobFolder } from './s3-job-folder.ts';

/** Below the tenant's, the pipeline's and the execution's folder, and nothing else: the bucket may hold others' objects. */
const OF_A_RUN = /^[^/]+\/pl_[0-9a-f]{20}\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\//;

export class S3Staging implements Staging {
  readonly #s3: S3Access;
  readonly #root: S3Address;

  /** @param rootUri `s3://bucket/prefix` */
  constructor(s3: S3Access, rootUri: string) {
    this.#s3 = s3;
    this.#root = parseS3Uri(rootUri);
  }

  async newAttempt(): Promise<StagingFolder> {
    const path = await this.#s3.scratch.newFolder();
    return { path, uri: pathToFileURL(path).href };
  }

  /** A file that a source took where it lies is uploaded as well: other machines may not have it. */
  async handOver(at: StagedStep, output: Dataset, signal: AbortSignal): Promise<Dataset> {
    if (isS3Uri(output.uri)) return output;
    const folder = this.#below([...stepFolders(at), randomUUID()]);
    const files = await datasetFiles(output);
    await inParallel([...files.entries()], async ([index, from]) => {
      const name = output.uri.endsWith('/') ? basename(from) : `part-${index}.parquet`;
      await this.#s3.objects.upload({ from, to: { ...folder, key: folder.key + name } }, signal);
    });
    // Not half old, half new, should the file have changed while it was read.
    await datasetFiles(output);
    return { uri: s3Uri(folder), rows: output.rows, bytes: output.bytes };
  }

  async release(folder: StagingFolder): Promise<void> {
    await rm(folder.path, { recursive: true, force: true });
  }

  ofJob(at: StagedStep, jobName: string): Promise<S3JobFolder> {
    return Promise.resolve(new S3JobFolder(this.#s3.objects, this.#below([...stepFolders(at), folderName(jobName)])));
  }

  async has({ uri }: Dataset): Promise<boolean> {
    if (!isS3Uri(uri)) {
      return access(fileURLToPath(uri)).then(
        () => true,
        () => false,
      );
    }
    const first = await this.#s3.objects.list(parseS3Uri(uri)).next();
    return first.done !== true;
  }

  async dropRun(at: StagedRun): Promise<void> {
    await this.#s3.objects.deleteAll(this.#below(runFolders(at)));
  }

  async expire(olderThanMs: number): Promise<number> {
    const newestToDropMs = Date.now() - olderThanMs;
    const lastWriteMsByRun = new Map<string, number>();
    const root = this.#below([]);
    for await (const { key, writtenMs } of this.#s3.objects.list(root)) {
      const run = OF_A_RUN.exec(key.slice(root.key.length))?.[0];
      if (run !== undefined) lastWriteMsByRun.set(run, Math.max(lastWriteMsByRun.get(run) ?? 0, writtenMs));
    }
    const expired = [...lastWriteMsByRun].filter(([, lastWriteMs]) => lastWriteMs <= newestToDropMs);
    for (const [run] of expired) await this.#s3.objects.deleteAll({ ...root, key: root.key + run });
    return expired.length;
  }

  /** Ends with `/`, unless it is the bucket itself. */
  #below(folders: readonly string[]): S3Address {
    const { bucket, key } = this.#root;
    return {
      bucket,
      key: [...key.split('/'), ...folders]
        .filter((part) => part !== '')
        .map((part) => `${part}/`)
        .join(''),
    };
  }
}
