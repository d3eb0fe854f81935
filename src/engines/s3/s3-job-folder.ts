import type { JobFolder } from '../job-folder.ts';
import { verbatimUri } from '../verbatim-uri.ts';
import { s3Uri, type S3Address } from './s3-address.ts';
import type { S3Objects } from './s3-objects.ts';

/** Objects below a prefix. Who is first is decided by S3's conditional writes. */
export class S3JobFolder implements JobFolder {
  readonly #objects: S3Objects;
  readonly #at: S3Address;

  /** @param at its key ends with `/` */
  constructor(objects: S3Objects, at: S3Address) {
    this.#objects = objects;
    this.#at = at;
  }

  get uri(): string {
    return s3Uri(this.#at);
  }

  located(name: string): string {
    return hadoopUri(s3Uri(this.#below(name)));
  }

  async read(name: string): Promise<string | undefined> {
    return (await this.#objects.readIfThere(this.#below(name)))?.toString();
  }

  putIfAbsent(name: string, content: string | Uint8Array): Promise<boolean> {
    return this.#objects.putIfAbsent(this.#below(name), Buffer.from(content));
  }

  async list(folder: string): Promise<string[]> {
    const prefix = this.#below(folder === '' ? '' : `${folder}/`);
    const names = new Set<string>();
    for await (const { key } of this.#objects.list(prefix)) {
      const [name = ''] = key.slice(prefix.key.length).split('/');
      if (name !== '') names.add(name);
    }
    return [...names];
  }

  async writtenAtMs(name: string): Promise<number | undefined> {
    return (await this.#objects.head(this.#below(name)))?.writtenMs;
  }

  #below(name: string): S3Address {
    return { ...this.#at, key: this.#at.key + name };
  }
}

/** The same for a program of the Hadoop family, whose file system for S3 goes by another scheme. */
export function hadoopUri(uri: string): string {
  return verbatimUri(uri).replace(/^s3:/i, 's3a:');
}
