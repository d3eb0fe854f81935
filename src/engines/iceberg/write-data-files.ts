/** Rows of a query become data files of a table: Iceberg spec, "Specification", "Partitioning" and "Manifests". */
import { randomUUID } from 'node:crypto';
import type { DuckDbSession } from '../duckdb/duckdb-engine.ts';
import { countNans, describeDataFile } from './data-file-statistics.ts';
import type { DataFile } from './data-file.ts';
import type { FileIo } from './file-io.ts';
import { partitionKey, registerHashFunctions, type PartitionKey } from './partition-key.ts';
import type { BoundPartitionField } from './partition-spec.ts';
import { numberedKey } from './numbered-key.ts';
import type { StructType } from './schema.ts';
import type { IcebergValue } from './value.ts';
import { writeParquet, type ParquetColumn, type WrittenFile } from './write-parquet.ts';

/** Alias under which the SQL of columns and keys finds the rows. */
export const ROWS = 'source_rows';

export interface RowsToWrite {
  /** A table, view or subquery; {@link ROWS} is its alias. */
  relation: string;
  columns: readonly ParquetColumn[];
}

export interface FilePlace {
  io: FileIo;
  /** The table's default spec, by which the files are partitioned. */
  specId: number;
  /** URI of the folder for data files. */
  dataFolder: string;
  /** Local, empty, ending with `/`. */
  scratchFolder: string;
  /** Gets the URI of each file, before there is one. */
  uncommitted: string[];
  signal: AbortSignal;
}

/** @param sourceSql SQL of a column by its name, of its type in the table */
export async function writePartitioned(
  session: DuckDbSession,
  rows: RowsToWrite,
  fields: readonly BoundPartitionField[],
  sourceSql: (column: string) => string,
  place: FilePlace,
): Promise<DataFile[]> {
  if (fields.some((field) => field.transform.kind === 'bucket')) registerHashFunctions(session);
  let relation = `${rows.relation} AS ${ROWS}`;
  const keys: PartitionKey[] = [];
  for (const [at, field] of fields.entries()) {
    const key = partitionKey(field, field.transform.kind === 'void' ? '' : sourceSql(field.source.name));
    if (key.needsNumber) {
      const numbered = await numberedKey(session, key, `${rows.relation} AS ${ROWS}`, `numbers_${at}`);
      relation += ` ${numbered.join}`;
      keys.push(numbered.key);
    } else keys.push(key);
  }
  const written = await writeParquet(session, {
    relation,
    columns: rows.columns,
    keys: keys.map((key) => key.sql),
    clustered: false,
    folder: place.scratchFolder,
  });
  const partitionOf = (file: WrittenFile): (IcebergValue | null)[] =>
    keys.map((key, at) => {
      const text = file.keys[at] ?? null;
      return text === null ? null : key.parse(text);
    });
  return publishFiles(session, written, rows.columns, partitionOf, place);
}

/** Names the files, moves them to the table and describes them. */
export async function publishFiles(
  session: DuckDbSession,
  written: readonly WrittenFile[],
  columns: readonly ParquetColumn[],
  partitionOf: (file: WrittenFile) => (IcebergValue | null)[],
  place: FilePlace,
): Promise<DataFile[]> {
  const struct: StructType = { type: 'struct', fields: columns.map(({ field }) => field) };
  const nanCounts = await countNans(session, written, struct);
  const write = randomUUID();
  const named = written.map((file, at) => {
    return { file, uri: `${place.dataFolder}/${write}-${String(at).padStart(5, '0')}.parquet` };
  });
  const described = named.map(({ file, uri }) => {
    const { specId } = place;
    const at = {
      uri,
      specId,
      partition: partitionOf(file),
      nanCounts: nanCounts.get(file) ?? new Map<number, bigint>(),
    };
    return describeDataFile(file, at, struct);
  });
  place.uncommitted.push(...named.map(({ uri }) => uri));
  await place.io.publish(
    named.map(({ file, uri }) => ({ localPath: file.localPath, uri })),
    place.signal,
  );
  return described;
}
