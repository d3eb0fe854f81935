/**
 * Parquet files with Iceberg's field ids, written by DuckDB's COPY: Iceberg spec, Appendix A, "Parquet". One scan of
 * the rows writes the files of all partitions and tells the statistics of each.
 */
import type { Json } from '@duckdb/node-api';
import { EngineError } from '../../errors.ts';
import type { DuckDbSession } from '../duckdb/duckdb-engine.ts';
import { quoteIdentifier, quoteLiteral } from '../duckdb/quote.ts';
import { isPrimitive, type IcebergType, type NestedField } from './schema.ts';

export interface ParquetColumn {
  field: NestedField;
  /** Of the field's type already. */
  sql: string;
}

export interface ParquetRequest {
  /** What stands after FROM. */
  relation: string;
  columns: readonly ParquetColumn[];
  /** SQL of the values by which rows are cut into files; they are not written. */
  keys: readonly string[];
  /** Whether rows of one key are known to lie together. */
  clustered: boolean;
  /** An empty folder, ending with `/`. */
  folder: string;
  /** Where rows that no keys cut go on in another file; {@link TARGET_FILE_BYTES} when left out. */
  mostFileBytes?: number;
}

export interface WrittenFile {
  localPath: string;
  rows: bigint;
  sizeBytes: bigint;
  /** The text of each key, null for NULL. */
  keys: (string | null)[];
  /** By {@link columnKey}. */
  columns: Map<string, ColumnStatistics>;
}

/** As DuckDB tells them; values are text. */
export interface ColumnStatistics {
  sizeBytes: bigint;
  values: bigint;
  nulls: bigint;
  hasNan: boolean;
  smallest: string | undefined;
  largest: string | undefined;
}

/** Of one file when the rows are not cut by keys: Iceberg's default of `write.target-file-size-bytes`. */
const TARGET_FILE_BYTES = 512 * 1024 * 1024;
/** Each is a file at least; a column with this many values was hardly meant. */
const MAX_PARTITIONS = 10_000;
/** DuckDB keeps 100 files open; with more keys than that at a time, rows would be strewn over many files for each. */
const MAX_UNSORTED_KEYS = 48;
/** Half of what DuckDB gathers before it writes to the files of the keys among them. */
const LOOKED_AT_ROWS = 262_144;
/**
 * The most is DuckDB's own. It is slow at files that are much smaller than one row group (a third slower at a seventh),
 * so files of few rows get smaller ones.
 */
const ROW_GROUP_ROWS = { least: 20_480, most: 122_880, multipleOf: 2_048 };

export async function writeParquet(session: DuckDbSession, request: ParquetRequest): Promise<WrittenFile[]> {
  const columns = request.columns.map(({ field, sql }) => `${sql} AS ${quoteIdentifier(field.name)}`);
  const taken = new Set(request.columns.map(({ field }) => field.name.toLowerCase()));
  const names = request.keys.map((_key, at) => freeName(`partition_${at}`, taken));
  const keys = request.keys.map((sql, at) => `${sql} AS ${quoteIdentifier(names[at] ?? '')}`);
  const layout = keys.length > 0 && !request.clustered ? await layoutOf(session, request) : undefined;
  const options = [
    'FORMAT parquet',
    'COMPRESSION zstd',
    'RETURN_STATS',
    `ROW_GROUP_SIZE ${layout?.rowGroupRows ?? ROW_GROUP_ROWS.most}`,
    `FIELD_IDS {${request.columns.map(({ field }) => fieldIds(field.name, field.id, field.type)).join(', ')}}`,
    names.length > 0
      ? `PARTITION_BY (${names.map(quoteIdentifier).join(', ')}), HIVE_FILE_PATTERN false, FILENAME_PATTERN '{uuid}'`
      : `FILE_SIZE_BYTES ${request.mostFileBytes ?? TARGET_FILE_BYTES}`,
  ];
  const order = layout?.sorted === true ? ` ORDER BY ${names.map(quoteIdentifier).join(', ')}` : '';
  const select = `SELECT ${[...columns, ...keys].join(', ')} FROM ${request.relation}${order}`;
  const files = await session.rowsJson(
    `COPY (${select}) TO ${quoteLiteral(`${request.folder}rows`)} (${options.join(', ')})`,
  );
  return files.map((file) => writtenFile(file, names)).filter((file) => file.rows > 0n);
}

/** The key of a column in {@link WrittenFile.columns}. */
export function columnKey(path: readonly string[]): string {
  return path.map(quoteIdentifier).join('.');
}

interface Layout {
  /** Whether many keys alternate in the rows, so that they must be sorted first. */
  sorted: boolean;
  rowGroupRows: number;
}

/**
 * Looks at the first rows only, unless they have many keys: when the later ones are different, there are more files
 * than needed, no wrong ones.
 */
async function layoutOf(session: DuckDbSession, request: ParquetRequest): Promise<Layout> {
  const keys = request.keys.map((sql, at) => `${sql} AS k${at}`).join(', ');
  const aliases = request.keys.map((_sql, at) => `k${at}`).join(', ');
  const count = async (limit: string): Promise<{ keys: number; rowGroupRows: number }> => {
    const [row] = await session.rows(
      `SELECT count(*)::INTEGER AS keys, coalesce(avg(key_rows), 0)::DOUBLE AS key_rows
        FROM (SELECT count(*) AS key_rows FROM (SELECT ${keys} FROM ${request.relation}${limit}) GROUP BY ${aliases})`,
    );
    return { keys: row?.['keys'] as number, rowGroupRows: rowGroupFor(row?.['key_rows'] as number) };
  };
  const first = await count(` LIMIT ${LOOKED_AT_ROWS}`);
  if (first.keys <= MAX_UNSORTED_KEYS) return { sorted: false, rowGroupRows: first.rowGroupRows };
  const all = await count('');
  if (all.keys > MAX_PARTITIONS) {
    throw new EngineError(
      'ValidationError',
      `the rows fall into ${all.keys} partitions; at most ${MAX_PARTITIONS} are written at once`,
    );
  }
  return { sorted: true, rowGroupRows: all.rowGroupRows };
}

/** @param fileRows as many as a file will have, on average */
function rowGroupFor(fileRows: number): number {
  const { least, most, multipleOf } = ROW_GROUP_ROWS;
  // Some files have more than the average, and should be one row group too.
  const wanted = Math.ceil((fileRows * 1.25) / multipleOf) * multipleOf;
  return Math.min(most, Math.max(least, wanted));
}

function freeName(wanted: string, taken: ReadonlySet<string>): string {
  return taken.has(wanted) ? freeName(`_${wanted}`, taken) : wanted;
}

function fieldIds(name: string, id: number, type: IcebergType): string {
  const key = quoteIdentifier(name);
  if (isPrimitive(type)) return `${key}: ${id}`;
  if (type.type === 'map') throw new EngineError('UnsupportedError', 'columns of type map are not supported');
  const inner =
    type.type === 'list'
      ? [fieldIds('element', type['element-id'], type.element)]
      : type.fields.map((field) => fieldIds(field.name, field.id, field.type));
  return `${key}: {${[`__duckdb_field_id: ${id}`, ...inner].join(', ')}}`;
}

type JsonMap = { key: string; value: Json }[];

function writtenFile(row: Record<string, Json>, names: readonly string[]): WrittenFile {
  const keys = new Map(((row['partition_keys'] as JsonMap | null) ?? []).map(({ key, value }) => [key, value]));
  const columns = (row['column_statistics'] as JsonMap).map(({ key, value }): [string, ColumnStatistics] => {
    const told = new Map((value as JsonMap).map((entry) => [entry.key, entry.value as string]));
    const statistics = {
      sizeBytes: BigInt(told.get('column_size_bytes') ?? 0),
      values: BigInt(told.get('num_values') ?? 0),
      nulls: BigInt(told.get('null_count') ?? 0),
      hasNan: told.get('has_nan') === 'true',
      smallest: told.get('min'),
      largest: told.get('max'),
    };
    return [key, statistics];
  });
  return {
    localPath: row['filename'] as string,
    rows: BigInt(row['count'] as string),
    sizeBytes: BigInt(row['file_size_bytes'] as string),
    keys: names.map((name) => (keys.get(name) as string | null | undefined) ?? null),
    columns: new Map(columns),
  };
}
