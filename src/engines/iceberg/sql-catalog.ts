/**
 * The embedded catalog: the tables of Iceberg's `JdbcCatalog` (schema version V1) in an SQLite file, so that
 * pyiceberg's `SqlCatalog` and Spark's `JdbcCatalog` open it as their own. A row names each table's current metadata
 * file; a commit writes a new metadata file and swaps the name, if it is still the one the commit was based on.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { EngineError } from '../../errors.ts';
import { isS3Uri } from '../s3/s3-address.ts';
import { applyUpdates, checkRequirements } from './apply-changes.ts';
import {
  CommitConflict,
  type IcebergCatalog,
  type LoadedTable,
  type NewTable,
  type TableIdentifier,
} from './catalog.ts';
import type { FileIo } from './file-io.ts';
import { inParallel } from './in-parallel.ts';
import { ManifestReader } from './live-files.ts';
import { fileUri, LocalFileIo } from './local-file-io.ts';
import { SqliteFile } from './sqlite-file.ts';
import type { TableRequirement, TableUpdate } from './table-changes.ts';
import {
  fileFolder,
  formatTableMetadata,
  parseTableMetadata,
  tableMetadataOf,
  type TableMetadata,
} from './table-metadata.ts';
import { stagedMetadata } from './staged-table.ts';

export interface SqlCatalogOptions {
  /** Absolute path of the SQLite file; made when missing, like the folder it lies in. */
  file: string;
  /** Rows of other catalogs may lie in the same file. */
  name: string;
  /** Absolute path of the folder, or `s3://bucket/prefix`, below which new tables get their locations. */
  warehouse: string;
  /** For files of tables; local ones only when left out. */
  io?: FileIo;
}

const TABLES = `
  CREATE TABLE IF NOT EXISTS iceberg_tables (
    catalog_name VARCHAR(255) NOT NULL,
    table_namespace VARCHAR(255) NOT NULL,
    table_name VARCHAR(255) NOT NULL,
    metadata_location VARCHAR(1000),
    previous_metadata_location VARCHAR(1000),
    iceberg_type VARCHAR(5),
    PRIMARY KEY (catalog_name, table_namespace, table_name)
  );
  CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
    catalog_name VARCHAR(255) NOT NULL,
    namespace VARCHAR(255) NOT NULL,
    property_key VARCHAR(255) NOT NULL,
    property_value VARCHAR(1000),
    PRIMARY KEY (catalog_name, namespace, property_key)
  );`;

const FIND = `SELECT metadata_location, iceberg_type FROM iceberg_tables
  WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?`;
const ALL = `SELECT catalog_name || char(10) || table_namespace || char(10) || table_name AS key, metadata_location
  FROM iceberg_tables WHERE iceberg_type IS NOT 'VIEW'`;
const INSERT = `INSERT INTO iceberg_tables
  (catalog_name, table_namespace, table_name, metadata_location, previous_metadata_location, iceberg_type)
  VALUES (?, ?, ?, ?, NULL, 'TABLE') ON CONFLICT DO NOTHING`;
const SWAP = `UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ?
  WHERE catalog_name = ? AND table_namespace = ? AND table_name = ? AND metadata_location = ?`;
/** Both readers take any property as the sign that a namespace exists, and write this one when there is no other. */
const ADD_NAMESPACE = `INSERT INTO iceberg_namespace_properties (catalog_name, namespace, property_key, property_value)
  VALUES (?, ?, 'exists', 'true') ON CONFLICT DO NOTHING`;

/** Entries of `metadata-log`, unless the table says otherwise (`write.metadata.previous-versions-max`). */
const METADATA_LOG_LENGTH = 100;

/** Tables whose metadata is kept at hand. */
const MAX_SEEN = 50;

interface Current {
  location: string;
  metadata: TableMetadata;
}

export class SqlCatalog implements IcebergCatalog {
  readonly #name: string;
  readonly #warehouse: string;
  readonly #database: SqliteFile;
  readonly #io: FileIo;
  readonly #manifests: ManifestReader;
  /** What each table was when it was last looked at: a metadata file never changes. */
  readonly #seen = new Map<string, Current>();

  constructor(options: SqlCatalogOptions) {
    this.#name = options.name;
    this.#warehouse = options.warehouse;
    this.#io = options.io ?? new LocalFileIo();
    this.#manifests = new ManifestReader(this.#io);
    mkdirSync(dirname(options.file), { recursive: true });
    this.#database = new SqliteFile(options.file, TABLES);
  }

  async loadTable(identifier: TableIdentifier): Promise<LoadedTable | undefined> {
    const current = await this.#current(identifier);
    return current === undefined ? undefined : this.#loaded(current);
  }

  stageTable(identifier: TableIdentifier, table: NewTable): Promise<LoadedTable> {
    const location = locationBelow(this.#warehouse, [...identifier.namespace, identifier.name]);
    const metadata = stagedMetadata(table, location, randomUUID());
    return Promise.resolve({ metadata, io: this.#io, manifests: this.#manifests });
  }

  async commitTable(
    identifier: TableIdentifier,
    requirements: readonly TableRequirement[],
    updates: readonly TableUpdate[],
  ): Promise<LoadedTable> {
    const base = await this.#current(identifier);
    checkRequirements(base?.metadata, requirements);
    const changed = applyUpdates(base?.metadata, updates, Date.now());
    const metadata = base === undefined ? changed : withLogEntry(changed, base);
    const location = nextMetadataLocation(metadata, base?.location);
    await this.#io.write(location, Buffer.from(formatTableMetadata(metadata)));
    const swapped = await this.#swap(identifier, base?.location, location);
    if (!swapped) {
      await this.#io.delete(location);
      throw new CommitConflict('another commit came first');
    }
    this.#keep(identifier, { location, metadata });
    if (base !== undefined) await this.#deleteForgotten(base.metadata, metadata);
    return this.#loaded({ location, metadata });
  }

  /** Of every catalog in the file. */
  async foldersOfOthers(identifier: TableIdentifier): Promise<string[]> {
    const key = this.#key(identifier).join('\n');
    const rows = await this.#database.readAll(ALL);
    const others = rows.filter((row) => typeof row['metadata_location'] === 'string' && String(row['key']) !== key);
    const folders = await inParallel(others, async (row) => {
      const { metadata } = await this.#readMetadata(String(row['metadata_location']));
      return [metadata.location, fileFolder(metadata, 'data'), fileFolder(metadata, 'metadata')];
    });
    return folders.flat();
  }

  async close(): Promise<void> {
    await this.#database.close();
  }

  async #current(identifier: TableIdentifier): Promise<Current | undefined> {
    const row = await this.#database.read(FIND, this.#key(identifier));
    if (row?.['iceberg_type'] === 'VIEW') {
      const name = [...identifier.namespace, identifier.name].join('.');
      throw new EngineError('UnsupportedError', `${name} is a view; rows can be loaded into tables only`);
    }
    const location = row?.['metadata_location'];
    if (typeof location !== 'string') return undefined;
    const seen = this.#seen.get(this.#key(identifier).join('/'));
    if (seen?.location === location) return { location, metadata: tableMetadataOf(seen.metadata) };
    return this.#keep(identifier, await this.#readMetadata(location));
  }

  async #readMetadata(location: string): Promise<Current> {
    const bytes = await this.#io.read(location);
    const text = /\.gz\.metadata\.json$|\.gz$/.test(location) ? gunzipSync(bytes) : bytes;
    return { location, metadata: parseTableMetadata(text.toString()) };
  }

  #keep(identifier: TableIdentifier, current: Current): Current {
    const key = this.#key(identifier).join('/');
    this.#seen.delete(key);
    this.#seen.set(key, current);
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > MAX_SEEN && oldest !== undefined) this.#seen.delete(oldest);
    return current;
  }

  #loaded({ metadata, location }: Current): LoadedTable {
    return { metadata, io: this.#io, manifests: this.#manifests, metadataLocation: location };
  }

  /** Metadata files that the log has no room for any more, where the table's owner wants that. */
  async #deleteForgotten(before: TableMetadata, after: TableMetadata): Promise<void> {
    if (after.properties?.['write.metadata.delete-after-commit.enabled']?.toLowerCase() !== 'true') return;
    const kept = new Set(after['metadata-log']?.map((entry) => entry['metadata-file']));
    const forgotten = (before['metadata-log'] ?? []).map((entry) => entry['metadata-file']);
    const gone = forgotten.filter((file) => !kept.has(file));
    // The commit has happened: what cannot be deleted is left to whoever cleans up the table.
    await inParallel(gone, (file) => this.#io.delete(file).catch(() => undefined));
  }

  /** One transaction; false when the table is not (or no longer) at `from`. */
  async #swap(identifier: TableIdentifier, from: string | undefined, to: string): Promise<boolean> {
    const key = this.#key(identifier);
    if (from !== undefined) return this.#database.write([{ sql: SWAP, parameters: [to, from, ...key, from] }]);
    const namespace = identifier.namespace.join('.');
    return this.#database.write([
      { sql: INSERT, parameters: [...key, to] },
      { sql: ADD_NAMESPACE, parameters: [this.#name, namespace] },
    ]);
  }

  #key(identifier: TableIdentifier): string[] {
    return [this.#name, identifier.namespace.join('.'), identifier.name];
  }
}

function locationBelow(warehouse: string, folders: readonly string[]): string {
  if (!isS3Uri(warehouse)) return fileUri(join(warehouse, ...folders));
  return [warehouse.replace(/\/+$/, ''), ...folders].join('/');
}

/** Iceberg spec, "Table Metadata Fields", `metadata-log`: the files before this one, the oldest ones forgotten. */
function withLogEntry(metadata: TableMetadata, base: Current): TableMetadata {
  const asked = Number(metadata.properties?.['write.metadata.previous-versions-max'] ?? METADATA_LOG_LENGTH);
  const entry = { 'metadata-file': base.location, 'timestamp-ms': base.metadata['last-updated-ms'] };
  const log = [...(metadata['metadata-log'] ?? []), entry];
  return {
    ...metadata,
    'metadata-log': log.slice(-Math.max(1, Number.isInteger(asked) ? asked : METADATA_LOG_LENGTH)),
  };
}

/** `00003-<uuid>.metadata.json`: Iceberg spec, Appendix E, "Metastore Tables". */
function nextMetadataLocation(metadata: TableMetadata, previous: string | undefined): string {
  const version = /\/(\d+)-[^/]*$/.exec(previous ?? '')?.[1];
  const next = previous === undefined ? 0 : Number(version ?? 0) + 1;
  return `${fileFolder(metadata, 'metadata')}/${String(next).padStart(5, '0')}-${randomUUID()}.metadata.json`;
}
