import { open, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { inParallel } from '../iceberg/in-parallel.ts';
import type { S3Address } from '../s3/s3-address.ts';
import type { ListedObject, S3Objects } from '../s3/s3-objects.ts';

const PARQUET_MAGIC = 'PAR1';
const PART = /^part-[^./]*$/;

/**
 * Flink's file system connector names its files `part-<uuid>-…` without an ending; in staging, Parquet files are named
 * `*.parquet`. Doing it again, or going on where a killed worker stopped, is harmless.
 */
export async function nameParquetFiles(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isFile() || !PART.test(entry.name)) continue;
    const path = join(folder, entry.name);
    if (await isParquet(path)) await rename(path, `${path}.parquet`);
  }
}

/** The same on S3, where a new name is a copy; nobody reads the folder before all have theirs. */
export async function nameParquetObjects(s3: S3Objects, folder: S3Address): Promise<void> {
  const parts: ListedObject[] = [];
  for await (const object of s3.list(folder)) {
    if (PART.test(object.key.slice(folder.key.length))) parts.push(object);
  }
  await inParallel(parts, async (part) => {
    if (part.sizeBytes < PARQUET_MAGIC.length) return;
    const start = await s3.readRange(part, `bytes=0-${PARQUET_MAGIC.length - 1}`, part.etag);
    if (start.toString('latin1') !== PARQUET_MAGIC) return;
    await s3.copy(part, { ...part, key: `${part.key}.parquet` });
    await s3.delete(part);
  });
}

async function isParquet(path: string): Promise<boolean> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(PARQUET_MAGIC.length), 0, PARQUET_MAGIC.length, 0);
  return bytesRead === PARQUET_MAGIC.length && buffer.toString('latin1') === PARQUET_MAGIC;
}
