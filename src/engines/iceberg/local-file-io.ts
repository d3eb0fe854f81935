import { access, lstat, mkdir, mkdtemp, open, opendir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EngineError } from '../../errors.ts';
import type { FileIo, ListedFile, LocalFile } from './file-io.ts';
import { inParallel } from './in-parallel.ts';

/** Files of the machine itself, under `file:` URIs. */
export class LocalFileIo implements FileIo {
  async read(uri: string): Promise<Buffer> {
    return readFile(localPath(uri));
  }

  async write(uri: string, content: Uint8Array): Promise<void> {
    const path = localPath(uri);
    await makeFolder(dirname(path));
    const file = await open(path, 'wx');
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await syncFolder(dirname(path));
  }

  async exists(uri: string): Promise<boolean> {
    return access(localPath(uri)).then(
      () => true,
      () => false,
    );
  }

  async *list(folder: string, signal?: AbortSignal): AsyncGenerator<ListedFile> {
    const uriOf = (path: string) => `${folder.replace(/\/+$/, '')}/${path}`;
    for await (const path of filesBelow(localPath(folder), '', signal)) {
      const found = await lstat(join(localPath(folder), path)).catch(unlessGone);
      if (found) yield { uri: uriOf(path), sizeBytes: found.size, modifiedMs: found.mtimeMs };
    }
  }

  async delete(uri: string): Promise<void> {
    await rm(localPath(uri), { force: true });
  }

  async newScratchFolder(dataFolder: string): Promise<string> {
    const data = localPath(dataFolder);
    await makeFolder(data);
    // Beside the data, so that publishing is a rename. Readers and cleaners of Iceberg pass over names with a dot.
    return `${await mkdtemp(join(data, '.scratch-'))}/`;
  }

  async publish(files: readonly LocalFile[]): Promise<void> {
    await inParallel(files, async (file) => {
      const handle = await open(file.localPath, 'r+');
      try {
        // Its age counts from here: who cleans up tells by it what may still be committed.
        const now = new Date();
        await handle.utimes(now, now);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(file.localPath, localPath(file.uri));
    });
    for (const folder of new Set(files.map((file) => dirname(localPath(file.uri))))) await syncFolder(folder);
  }

  localCopy(uri: string): Promise<string> {
    return Promise.resolve(localPath(uri));
  }
}

/** Paths below `root`; folders that go away meanwhile have nothing in them any more. */
async function* filesBelow(root: string, below: string, signal?: AbortSignal): AsyncGenerator<string> {
  signal?.throwIfAborted();
  const folder = await opendir(join(root, below)).catch(unlessGone);
  if (folder === undefined) return;
  for await (const entry of folder) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) yield* filesBelow(root, path, signal);
    else if (entry.isFile()) yield path;
  }
}

function unlessGone(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}

/** `file:///a`, `file:/a` and `/a` are in use, all of them unescaped, since readers take them as they stand. */
function localPath(uri: string): string {
  const path = uri.replace(/^file:(?:\/\/(?=\/))?/, '');
  if (!path.startsWith('/')) {
    throw new EngineError(
      'UnsupportedError',
      `tables are supported on local disks and on S3, not on ${uri.split(':')[0] ?? ''}:`,
    );
  }
  return path;
}

export function fileUri(path: string): string {
  return `file://${path}`;
}

/** New names in a folder survive a power cut only after the folder itself was synchronised. */
async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made));
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
