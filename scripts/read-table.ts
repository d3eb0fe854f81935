/** Reads a table of the embedded catalog the way an engine does: catalog, metadata, manifests, Parquet. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DuckDBInstance, type Json } from '@duckdb/node-api';
import { parseTableIdentifier } from '../src/engines/iceberg/catalog.ts';
import { currentManifests, ManifestReader } from '../src/engines/iceberg/live-files.ts';
import { SqlCatalog } from '../src/engines/iceberg/sql-catalog.ts';
import { quoteIdentifier, quoteLiteral } from '../src/engines/duckdb/quote.ts';

export interface TableState {
  /** Absolute paths. */
  files: string[];
  /** How many snapshots the table has. */
  snapshots: number;
  /** How many it has ever had. */
  commits: number;
  properties: Record<string, string>;
}

/** The live data files of a table of `DATA_DIR`'s catalog; undefined when there is no such table. */
export async function tableState(dataDir: string, table: string): Promise<TableState | undefined> {
  const catalog = new SqlCatalog({
    file: join(dataDir, 'iceberg', 'catalog.db'),
    name: 'matih',
    warehouse: join(dataDir, 'iceberg', 'warehouse'),
  });
  try {
    const loaded = await catalog.loadTable(parseTableIdentifier(table));
    if (loaded === undefined) return undefined;
    const { metadata, io } = loaded;
    const manifests = await new ManifestReader(io).liveDataFiles(metadata, await currentManifests(metadata, io));
    const files = manifests.flatMap(({ entries }) => entries.map(({ file }) => fileURLToPath(file.path)));
    return {
      files,
      snapshots: metadata.snapshots?.length ?? 0,
      commits: Number(metadata['last-sequence-number']),
      properties: metadata.properties ?? {},
    };
  } finally {
    await catalog.close();
  }
}

/** Rows of a query over the table, which it sees under `name`. */
export async function readTable(
  dataDir: string,
  table: string,
  name: string,
  query: string,
): Promise<Record<string, Json>[]> {
  const state = await tableState(dataDir, table);
  if (state === undefined) throw new Error(`there is no table ${table}`);
  if (state.files.length === 0) return [];
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    const files = state.files.map(quoteLiteral).join(', ');
    await connection.run(`create view ${quoteIdentifier(name)} as from read_parquet([${files}], union_by_name = true)`);
    return (await connection.runAndReadAll(query)).getRowObjectsJson();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
