/** What the footers of Parquet files tell of them, in the form in which DuckDB's COPY tells of files it wrote itself. */
import { stat } from 'node:fs/promises';
import type { DuckDbSession } from '../duckdb/duckdb-engine.ts';
import { quoteLiteral } from '../duckdb/quote.ts';
import { parseDuckDbText } from './duckdb-value.ts';
import { leafColumns, type LeafColumn, type PrimitiveType, type StructType } from './schema.ts';
import type { IcebergValue } from './value.ts';
import { columnKey, type ColumnStatistics, type WrittenFile } from './write-parquet.ts';

/** Files without rows are left out: they are no data files. */
export async function readFooters(
  session: DuckDbSession,
  paths: readonly string[],
  struct: StructType,
): Promise<WrittenFile[]> {
  const list = paths.map(quoteLiteral).join(', ');
  const counted = await session.rows(
    `SELECT file_name, num_rows::BIGINT AS row_count FROM parquet_file_metadata([${list}])`,
  );
  const chunks = await session.rows(
    `SELECT file_name, path_in_schema AS path, num_values::BIGINT AS value_count, stats_null_count::BIGINT AS nulls,
        stats_min_value AS smallest, stats_max_value AS largest,
        hex(TRY_CAST(stats_min_value AS BLOB)) AS smallest_bytes, hex(TRY_CAST(stats_max_value AS BLOB)) AS largest_bytes,
        total_compressed_size::BIGINT AS size_bytes
      FROM parquet_metadata([${list}])`,
  );
  const byFile = Map.groupBy(chunks, (chunk) => String(chunk['file_name']));
  const leaves = leafColumns(struct);
  const files = counted.filter((row) => row['row_count'] !== 0n);
  return Promise.all(
    files.map(async (row): Promise<WrittenFile> => {
      const localPath = String(row['file_name']);
      const byPath = Map.groupBy(byFile.get(localPath) ?? [], (chunk) => String(chunk['path']));
      const columns = leaves.map((leaf): [string, ColumnStatistics] => {
        return [columnKey(leaf.path), statisticsOf(leaf, byPath.get(leaf.path.join(', ')) ?? [])];
      });
      const sizeBytes = (await stat(localPath, { bigint: true })).size;
      return { localPath, rows: row['row_count'] as bigint, sizeBytes, keys: [], columns: new Map(columns) };
    }),
  );
}

function statisticsOf(leaf: LeafColumn, chunks: readonly Record<string, unknown>[]): ColumnStatistics {
  const sum = (name: string) => chunks.reduce((total, chunk) => total + ((chunk[name] as bigint | null) ?? 0n), 0n);
  const filled = chunks.filter((chunk) => chunk['nulls'] !== chunk['value_count']);
  const known = filled.every((chunk) => chunk['smallest'] !== null && chunk['largest'] !== null);
  const extreme = (name: string, sign: 1 | -1) =>
    known ? filled.map((chunk) => String(chunk[name])).reduce(first(leaf.type, sign), undefined) : undefined;
  // Bytes are told as hexadecimal digits elsewhere.
  const [smallest, largest] = leaf.type === 'binary' ? ['smallest_bytes', 'largest_bytes'] : ['smallest', 'largest'];
  return {
    sizeBytes: sum('size_bytes'),
    values: sum('value_count'),
    nulls: sum('nulls'),
    // A writer leaves the bounds out where there is a NaN; the file is then scanned for how many.
    hasNan: !known,
    smallest: extreme(smallest, 1),
    largest: extreme(largest, -1),
  };
}

function first(type: PrimitiveType, sign: 1 | -1) {
  return (best: string | undefined, text: string): string => {
    if (best === undefined) return text;
    return sign * compare(parseDuckDbText(type, text), parseDuckDbText(type, best)) < 0 ? text : best;
  };
}

/** Text in the order of its UTF-8, as Iceberg's bounds are. */
function compare(one: IcebergValue, other: IcebergValue): number {
  if (typeof one === 'string' || Buffer.isBuffer(one)) {
    return Buffer.compare(Buffer.from(one), Buffer.from(other as string));
  }
  return one < other ? -1 : one > other ? 1 : 0;
}
