import { open, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';

const PARQUET_MAGIC = 'PAR1';

/**
 * Flink's file system connector names its files `part-<uuid>-…` without an ending; in staging, Parquet files are named
 * `*.parquet`. Doing it again, or going on where a killed worker stopped, is harmless.
 */
export async function nameParquetFiles(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isFile() || !/^part-[^.]*$/.test(entry.name)) continue;
    const path = join(folder, entry.name);
    if (await isParquet(path)) await rename(path, `${path}.parquet`);
  }
}

async function isParquet(path: string): Promise<boolean> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(PARQUET_MAGIC.length), 0, PARQUET_MAGIC.length, 0);
  return bytesRead === PARQUET_MAGIC.length && buffer.toString('latin1') === PARQUET_MAGIC;
}
