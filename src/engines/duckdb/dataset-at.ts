import { readdir } from 'node:fs/promises';
import type { Dataset } from '../dataset.ts';
import type { DuckDbEngine } from './duckdb-engine.ts';
import { measureDataset } from './measure-dataset.ts';

/**
 * What another engine left in a folder; undefined when there is no Parquet file in it, or no such folder.
 *
 * @param folderPath absolute, ends with `/`
 * @throws EngineError `ValidationError` for a file that is no Parquet
 */
export async function datasetAt(
  engine: DuckDbEngine,
  folderPath: string,
  signal: AbortSignal,
): Promise<Dataset | undefined> {
  const names = await readdir(folderPath).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  if (!names.some((name) => name.endsWith('.parquet'))) return undefined;
  return engine.withSession({ signal, readable: [folderPath] }, (session) => measureDataset(session, folderPath));
}
