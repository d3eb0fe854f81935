import { EngineError } from '../../errors.ts';
import { isS3Uri } from '../s3/s3-address.ts';
import type { S3Access } from '../s3/s3-access.ts';
import type { FileIo, ListedFile, LocalFile } from './file-io.ts';
import { LocalFileIo } from './local-file-io.ts';
import { S3FileIo } from './s3-file-io.ts';

/** A catalog may have tables in several places: each file is read and written where its URI says. */
export class FileIoByScheme implements FileIo {
  readonly #local = new LocalFileIo();
  readonly #s3: S3FileIo | undefined;

  /** @param s3 undefined while S3 is not configured */
  constructor(s3: S3Access | undefined) {
    this.#s3 = s3 && new S3FileIo(s3);
  }

  read(uri: string): Promise<Buffer> {
    return this.#of(uri).read(uri);
  }

  write(uri: string, content: Uint8Array): Promise<void> {
    return this.#of(uri).write(uri, content);
  }

  exists(uri: string): Promise<boolean> {
    return this.#of(uri).exists(uri);
  }

  list(folder: string, signal?: AbortSignal): AsyncIterable<ListedFile> {
    return this.#of(folder).list(folder, signal);
  }

  delete(uri: string): Promise<void> {
    return this.#of(uri).delete(uri);
  }

  newScratchFolder(dataFolder: string): Promise<string> {
    return this.#of(dataFolder).newScratchFolder(dataFolder);
  }

  /** Those of one load: they lie in one place. */
  async publish(files: readonly LocalFile[], signal?: AbortSignal): Promise<void> {
    const [first] = files;
    if (first !== undefined) await this.#of(first.uri).publish(files, signal);
  }

  localCopy(uri: string, scratchFolder: string, signal?: AbortSignal): Promise<string> {
    return this.#of(uri).localCopy(uri, scratchFolder, signal);
  }

  #of(uri: string): FileIo {
    if (!isS3Uri(uri)) return this.#local;
    if (this.#s3 !== undefined) return this.#s3;
    throw new EngineError(
      'UnavailableError',
      'the table lies on S3, and this worker has no S3_ENDPOINT and no AWS_REGION',
    );
  }
}
