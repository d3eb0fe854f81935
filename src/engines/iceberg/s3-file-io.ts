import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { parseS3Uri, s3Uri } from '../s3/s3-address.ts';
import type { S3Access } from '../s3/s3-access.ts';
import type { FileIo, ListedFile, LocalFile } from './file-io.ts';
import { inParallel } from './in-parallel.ts';

/** Objects under `s3:`, `s3a:` or `s3n:` URIs. What DuckDB reads or writes is copied: it cannot reach S3. */
export class S3FileIo implements FileIo {
  readonly #s3: S3Access;

  constructor(s3: S3Access) {
    this.#s3 = s3;
  }

  async read(uri: string): Promise<Buffer> {
    return this.#s3.objects.read(parseS3Uri(uri));
  }

  /** Without a condition: names are random, and a request that the client repeats must not refuse itself. */
  async write(uri: string, content: Uint8Array): Promise<void> {
    await this.#s3.objects.put(parseS3Uri(uri), content);
  }

  async exists(uri: string): Promise<boolean> {
    return (await this.#s3.objects.head(parseS3Uri(uri))) !== undefined;
  }

  async *list(folder: string, signal?: AbortSignal): AsyncGenerator<ListedFile> {
    const { bucket, key } = parseS3Uri(folder);
    const prefix = { bucket, key: key === '' || key.endsWith('/') ? key : `${key}/` };
    for await (const { sizeBytes, writtenMs, ...at } of this.#s3.objects.list(prefix, signal)) {
      yield { uri: s3Uri(at), sizeBytes, modifiedMs: writtenMs };
    }
  }

  async delete(uri: string): Promise<void> {
    await this.#s3.objects.delete(parseS3Uri(uri));
  }

  async newScratchFolder(): Promise<string> {
    return this.#s3.scratch.newFolder();
  }

  async publish(files: readonly LocalFile[], signal?: AbortSignal): Promise<void> {
    await inParallel(files, ({ localPath, uri }) =>
      this.#s3.objects.upload({ from: localPath, to: parseS3Uri(uri) }, signal),
    );
  }

  async localCopy(uri: string, scratchFolder: string, signal?: AbortSignal): Promise<string> {
    const path = join(scratchFolder, `copy-${randomUUID()}.parquet`);
    await this.#s3.objects.download(parseS3Uri(uri), path, { signal });
    return path;
  }
}
