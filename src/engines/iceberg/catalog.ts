/**
 * What this writer needs of a catalog: the SQL catalog (`sql-catalog.ts`) and the REST catalog (`rest-catalog.ts`,
 * whose specification the calls are taken from) are two.
 */
import { EngineError } from '../../errors.ts';
import type { FileIo } from './file-io.ts';
import type { ManifestReader } from './live-files.ts';
import type { PartitionSpec } from './partition-spec.ts';
import type { StructType } from './schema.ts';
import type { TableRequirement, TableUpdate } from './table-changes.ts';
import type { TableMetadata } from './table-metadata.ts';

export interface TableIdentifier {
  /** One level or more. */
  namespace: string[];
  name: string;
}

export interface LoadedTable {
  metadata: TableMetadata;
  /** Where its data and metadata files are read and written. */
  io: FileIo;
  /** URI of the metadata file that is the table now; undefined for one that is not made yet. */
  metadataLocation?: string | undefined;
  /** Of the catalog, so that what one load has read is known to the next. */
  manifests: ManifestReader;
}

/** A table to be: made by the commit that carries its first snapshot, so that nobody sees it without its rows. */
export interface NewTable {
  schema: StructType;
  lastColumnId: number;
  spec: PartitionSpec;
}

export interface IcebergCatalog {
  /** Undefined when there is no such table. */
  loadTable(identifier: TableIdentifier): Promise<LoadedTable | undefined>;
  /**
   * What a new table starts from: uuid, location, schema and spec. Nothing of it is in the catalog yet.
   *
   * @throws CommitConflict when somebody made it meanwhile
   */
  stageTable(identifier: TableIdentifier, table: NewTable): Promise<LoadedTable>;
  /**
   * One atomic step: all updates, if all requirements hold. With `assert-create` it makes the table.
   *
   * @throws CommitConflict when nothing was committed because the table is not as required (any more)
   * @throws CommitRefused when nothing was committed for another reason
   * @throws anything else when it may or may not have been committed
   */
  commitTable(
    identifier: TableIdentifier,
    requirements: readonly TableRequirement[],
    updates: readonly TableUpdate[],
  ): Promise<LoadedTable>;
  /**
   * Folders of all tables that the catalog has beside this one: who cleans up a folder must keep out of these. Missing
   * where a catalog cannot tell them all, since it may hide some from its user.
   */
  foldersOfOthers?(identifier: TableIdentifier): Promise<string[]>;
  close(): Promise<void>;
}

/** Others committed first: read the table again and try again. Surely nothing of this commit happened. */
export class CommitConflict extends Error {
  override readonly name = 'CommitConflict';
}

/** Surely nothing of a commit happened, and trying it again at once would not help. */
export class CommitRefused extends Error {
  override readonly name = 'CommitRefused';
  override readonly cause: EngineError;

  constructor(cause: EngineError) {
    super(cause.message);
    this.cause = cause;
  }
}

/**
 * `a.b.table` to its parts. They become folders, so no odd character is let through.
 *
 * @throws EngineError `ValidationError`
 */
export function parseTableIdentifier(text: string): TableIdentifier {
  const namespace = text.split('.');
  const name = namespace.pop();
  if (name === undefined || namespace.length === 0 || [...namespace, name].some((part) => !/^[\w-]+$/.test(part))) {
    throw new EngineError('ValidationError', `${text} is no table name; expected namespace.table`);
  }
  return { namespace, name };
}
