/** A warehouse in a temporary folder, and DuckDB beside it to make rows and to read what the table says it has. */
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DuckDBInstance, type DuckDBConnection, type Json } from '@duckdb/node-api';
import type { Dataset, EngineContext } from '../../../src/engines/dataset.ts';
import { DuckDbEngine } from '../../../src/engines/duckdb/duckdb-engine.ts';
import { parseTableIdentifier, type IcebergCatalog } from '../../../src/engines/iceberg/catalog.ts';
import type { DataFile } from '../../../src/engines/iceberg/data-file.ts';
import { currentManifests, ManifestReader } from '../../../src/engines/iceberg/live-files.ts';
import {
  loadToIceberg,
  type IcebergLoadRequest,
  type IcebergLoadResult,
} from '../../../src/engines/iceberg/load-to-iceberg.ts';
import { SqlCatalog } from '../../../src/engines/iceberg/sql-catalog.ts';
import type { TableMetadata } from '../../../src/engines/iceberg/table-metadata.ts';

export type LoadOptions = Partial<Omit<IcebergLoadRequest, 'table' | 'input'>>;

export class Lake {
  readonly folder: string;
  readonly catalog: SqlCatalog;
  readonly duckdb: DuckDbEngine;
  readonly #connection: DuckDBConnection;
  #count = 0;

  /** @param at where a service keeps its own: the folder is made if it is not there yet */
  static async open(at?: string): Promise<Lake> {
    const folder = at ?? (await mkdtemp(join(tmpdir(), 'iceberg-')));
    await mkdir(folder, { recursive: true });
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
    return new Lake(folder, await instance.connect());
  }

  private constructor(folder: string, connection: DuckDBConnection) {
    this.folder = folder;
    this.#connection = connection;
    this.catalog = this.openCatalog();
    const spillFolder = join(folder, 'spill');
    this.duckdb = new DuckDbEngine({ memoryLimitBytes: 1 << 30, threads: 1, spillFolder });
  }

  /** The same catalog once more, as another process would open it. */
  openCatalog(): SqlCatalog {
    const { folder } = this;
    return new SqlCatalog({ file: join(folder, 'catalog.db'), name: 'matih', warehouse: join(folder, 'warehouse') });
  }

  async close(): Promise<void> {
    await this.catalog.close();
    await this.duckdb.close();
    this.#connection.closeSync();
    await rm(this.folder, { recursive: true, maxRetries: 20, retryDelay: 200, force: true });
  }

  async rows(sql: string): Promise<Record<string, Json>[]> {
    return (await this.#connection.runAndReadAll(sql)).getRowObjectsJson();
  }

  async dataset(sql: string): Promise<Dataset> {
    this.#count += 1;
    const folder = join(this.folder, `rows-${this.#count}`);
    await mkdir(folder);
    const file = join(folder, 'rows.parquet');
    await this.#connection.run(`COPY (${sql}) TO '${file}' (FORMAT parquet)`);
    const [counted] = await this.rows(`SELECT count(*)::INTEGER AS n FROM '${file}'`);
    return { uri: `${pathToFileURL(folder).href}/`, rows: counted?.['n'] as number, bytes: (await stat(file)).size };
  }

  async load(
    table: string,
    sql: string,
    options: LoadOptions = {},
    catalog: IcebergCatalog = this.catalog,
    context: Partial<EngineContext> = {},
  ): Promise<IcebergLoadResult> {
    const input = await this.dataset(sql);
    const request: IcebergLoadRequest = {
      loadName: `${randomUUID()}/out`,
      mode: 'append',
      mergeKeys: [],
      partitionBy: [],
      schemaEvolution: 'none',
      ...options,
      table,
      input,
    };
    const signal = AbortSignal.timeout(60_000);
    const silent = { signal, log: () => undefined, progress: () => undefined };
    return loadToIceberg(request, { catalog, duckdb: this.duckdb }, { ...silent, ...context });
  }

  async metadata(table: string): Promise<TableMetadata> {
    const loaded = await this.catalog.loadTable(parseTableIdentifier(table));
    if (loaded === undefined) throw new Error(`there is no table ${table}`);
    return loaded.metadata;
  }

  async hasTable(table: string): Promise<boolean> {
    return (await this.catalog.loadTable(parseTableIdentifier(table))) !== undefined;
  }

  /** The live data files, as the manifests have them. */
  async files(table: string): Promise<DataFile[]> {
    const loaded = await this.catalog.loadTable(parseTableIdentifier(table));
    if (loaded === undefined) return [];
    const manifests = await currentManifests(loaded.metadata, loaded.io);
    const read = await new ManifestReader(loaded.io).liveDataFiles(loaded.metadata, manifests);
    return read.flatMap((manifest) => manifest.entries.map((entry) => entry.file));
  }

  /** A query over the live data files, which it finds as `live`. */
  async query(table: string, sql: string): Promise<Record<string, Json>[]> {
    const files = (await this.files(table)).map((file) => `'${file.path.replace('file://', '')}'`);
    return this.rows(`WITH live AS (FROM read_parquet([${files.join(', ')}], union_by_name = true)) ${sql}`);
  }

  /** Names of all files below the warehouse, without the folders. */
  async everyFile(): Promise<string[]> {
    const entries = await readdir(join(this.folder, 'warehouse'), { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
  }
}
