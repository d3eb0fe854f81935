/** What DuckDB tells of a file it wrote, as a manifest entry: Iceberg spec, "Manifests", `data_file`. */
import type { DuckDbSession } from '../duckdb/duckdb-engine.ts';
import { quoteIdentifier } from '../duckdb/quote.ts';
import { lowerBound, upperBound } from './bounds.ts';
import type { DataFile } from './data-file.ts';
import { parseDuckDbText } from './duckdb-value.ts';
import { leafColumns, type LeafColumn, type StructType } from './schema.ts';
import { columnName, tableRows } from './table-rows.ts';
import type { IcebergValue } from './value.ts';
import { columnKey, type ColumnStatistics, type WrittenFile } from './write-parquet.ts';

/** NaN counts by field id. */
export type NanCounts = Map<number, bigint>;

/**
 * How many NaN each file has in each column. Statistics of Parquet tell only whether there are any, so those files that
 * have some are scanned once more.
 */
export async function countNans(
  session: DuckDbSession,
  files: readonly WrittenFile[],
  struct: StructType,
): Promise<Map<WrittenFile, NanCounts>> {
  const floats = leafColumns(struct).filter((leaf) => leaf.type === 'float' || leaf.type === 'double');
  const counts = new Map<WrittenFile, NanCounts>();
  const toScan: WrittenFile[] = [];
  for (const file of files) {
    const present = floats.filter((leaf) => file.columns.has(columnKey(leaf.path)));
    counts.set(file, new Map(present.map((leaf) => [leaf.id, 0n])));
    if (present.some((leaf) => file.columns.get(columnKey(leaf.path))?.hasNan === true)) toScan.push(file);
  }
  if (toScan.length === 0) return counts;
  // All files of one COPY have the same columns.
  const scanned = floats.filter((leaf) => toScan[0]?.columns.has(columnKey(leaf.path)));
  const sums = scanned.map((leaf) => `count(*) FILTER (isnan(${access(leaf)})) AS ${quoteIdentifier(String(leaf.id))}`);
  const paths = toScan.map((file) => file.localPath);
  const rows = await session.rows(
    `SELECT file_index, ${sums.join(', ')} FROM ${tableRows(paths, struct)} GROUP BY file_index`,
  );
  for (const row of rows) {
    const file = toScan[Number(row['file_index'])];
    if (file === undefined) throw new TypeError('DuckDB counted a file that it was not given');
    counts.set(file, new Map(scanned.map((leaf) => [leaf.id, row[String(leaf.id)] as bigint])));
  }
  return counts;
}

export function describeDataFile(
  written: WrittenFile,
  at: { uri: string; specId: number; partition: (IcebergValue | null)[]; nanCounts: NanCounts },
  struct: StructType,
): DataFile {
  const columnSizes = new Map<number, bigint>();
  const valueCounts = new Map<number, bigint>();
  const nullCounts = new Map<number, bigint>();
  const lowerBounds = new Map<number, Buffer>();
  const upperBounds = new Map<number, Buffer>();
  for (const leaf of leafColumns(struct)) {
    const statistics = written.columns.get(columnKey(leaf.path));
    if (statistics === undefined) continue;
    columnSizes.set(leaf.id, statistics.sizeBytes);
    valueCounts.set(leaf.id, statistics.values);
    nullCounts.set(leaf.id, statistics.nulls);
    const { lower, upper } = boundsOf(leaf, statistics);
    if (lower !== undefined) lowerBounds.set(leaf.id, lower);
    if (upper !== undefined) upperBounds.set(leaf.id, upper);
  }
  return {
    content: 0,
    path: at.uri,
    format: 'PARQUET',
    specId: at.specId,
    partition: at.partition,
    recordCount: written.rows,
    sizeBytes: written.sizeBytes,
    columnSizes,
    valueCounts,
    nullCounts,
    nanCounts: at.nanCounts,
    lowerBounds,
    upperBounds,
    keyMetadata: null,
    splitOffsets: null,
    equalityIds: null,
    sortOrderId: 0,
  };
}

function boundsOf(leaf: LeafColumn, { smallest, largest }: ColumnStatistics): { lower?: Buffer; upper?: Buffer } {
  // Engines disagree on the order of uuids (Java's own is signed), so a bound could hide rows.
  if (smallest === undefined || largest === undefined || leaf.type === 'uuid') return {};
  const least = parseDuckDbText(leaf.type, smallest);
  const most = parseDuckDbText(leaf.type, largest);
  if (Number.isNaN(least) || Number.isNaN(most)) return {};
  const upper = upperBound(leaf.type, most);
  return { lower: lowerBound(leaf.type, least), ...(upper === undefined ? {} : { upper }) };
}

/** The column as {@link tableRows} names it, or what lies in it. */
function access(leaf: LeafColumn): string {
  const [, ...inside] = leaf.path;
  return [columnName(leaf.columnId), ...inside.map(quoteIdentifier)].join('.');
}
