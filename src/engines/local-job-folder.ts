import { randomUUID } from 'node:crypto';
import { link, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { JobFolder } from './job-folder.ts';

/** On a file system with hard links. */
export class LocalJobFolder implements JobFolder {
  /** Absolute, ends with `/`. */
  readonly path: string;

  /** @param path absolute, ends with `/`; it is there */
  constructor(path: string) {
    this.path = path;
  }

  get uri(): string {
    return pathToFileURL(this.path).href;
  }

  located(name: string): string {
    return join(this.path, name);
  }

  read(name: string): Promise<string | undefined> {
    return readFile(this.located(name), 'utf8').catch(noneIfAbsent(undefined));
  }

  async putIfAbsent(name: string, content: string | Uint8Array): Promise<boolean> {
    const target = this.located(name);
    if (name.includes('/')) await mkdir(dirname(target), { recursive: true });
    const temporary = join(this.path, `.${randomUUID()}`);
    try {
      await writeFile(temporary, content, { flush: true });
      return await link(temporary, target).then(() => true, noneIfPresent);
    } finally {
      await rm(temporary, { force: true });
    }
  }

  list(folder: string): Promise<string[]> {
    return readdir(this.located(folder)).catch(noneIfAbsent([]));
  }

  async writtenAtMs(name: string): Promise<number | undefined> {
    const found = await stat(this.located(name)).catch(noneIfAbsent(undefined));
    return found?.mtimeMs;
  }
}

function noneIfAbsent<T>(none: T): (error: unknown) => T {
  return (error) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return none;
    throw error;
  };
}

function noneIfPresent(error: unknown): false {
  if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
  throw error;
}
