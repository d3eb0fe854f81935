import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Dataset } from '../dataset.ts';
import type { DuckDbSession } from './duckdb-session.ts';
import { quoteLiteral } from './quote.ts';

/**
 * What lies in a folder of Parquet files: rows from the files' footers, bytes from the file system. A folder without
 * any is a dataset of no rows.
 *
 * @param session must be allowed to read the folder
 * @param folderPath absolute, ends with `/`
 */
export async function measureDataset(session: DuckDbSession, folderPath: string): Promise<Dataset> {
  const files = (await readdir(folderPath)).filter((name) => name.endsWith('.parquet'));
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(folderPath, name))).size));
  const measured: Dataset = {
    uri: pathToFileURL(folderPath).href,
    rows: 0,
    bytes: sizes.reduce((sum, size) => sum + size, 0),
  };
  if (files.length === 0) return measured;
  const list = files.map((name) => quoteLiteral(join(folderPath, name))).join(', ');
  const [row] = await session.rows(`SELECT sum(num_rows)::DOUBLE AS row_count FROM parquet_file_metadata([${list}])`);
  return { ...measured, rows: Number(row?.['row_count'] ?? 0) };
}
