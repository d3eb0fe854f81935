/**
 * Partition values computed by DuckDB: Iceberg spec, "Partition Transforms" and Appendix B. Each field becomes a key
 * column by which COPY cuts the rows into files; its text comes back with each file's statistics.
 */
import {
  BIGINT,
  BLOB,
  DuckDBScalarFunction,
  HUGEINT,
  INTEGER,
  type DuckDBType,
  type DuckDBValue,
} from '@duckdb/node-api';
import type { DuckDbSession } from '../duckdb/duckdb-engine.ts';
import { parseDuckDbText } from './duckdb-value.ts';
import { murmur3, murmur3OfLong } from './murmur3.ts';
import type { BoundPartitionField } from './partition-spec.ts';
import { parsePrimitive, type PrimitiveType } from './schema.ts';
import { twosComplement } from './single-value.ts';
import type { IcebergValue } from './value.ts';

export interface PartitionKey {
  sql: string;
  /** Whether the value is too long or too odd for the name of a folder, which COPY makes of it. */
  needsNumber: boolean;
  /** @param text as DuckDB casts the key to VARCHAR */
  parse(text: string): IcebergValue;
}

/** @param source SQL of the source column, of its type in the table */
export function partitionKey(field: BoundPartitionField, source: string): PartitionKey {
  const { transform } = field;
  const number = (sql: string): PartitionKey => ({ sql, needsNumber: false, parse: BigInt });
  switch (transform.kind) {
    case 'void':
      return number('CAST(NULL AS INTEGER)');
    case 'identity':
      return identityKey(field.source.type, source);
    case 'truncate':
      return truncateKey(field.source.type, source, transform.width);
    case 'bucket':
      return number(`(${hashSql(field.source.type, source)} & 2147483647) % ${transform.width}`);
    case 'year':
    case 'month':
    case 'day':
    case 'hour':
      return number(
        `date_diff('${transform.kind}', TIMESTAMP '1970-01-01', ${utcTimestamp(field.source.type, source)})`,
      );
  }
}

/** Makes the hash functions known that bucket keys call. */
export function registerHashFunctions(session: DuckDbSession): void {
  const register = (name: string, type: DuckDBType, hash: (value: DuckDBValue) => number): void => {
    const hashFunction = DuckDBScalarFunction.create({
      name,
      returnType: INTEGER,
      parameterTypes: [type],
      mainFunction: (_info, chunk, output) => {
        const values = chunk.getColumnVector(0);
        for (let row = 0; row < chunk.rowCount; row++) {
          const value = values.getItem(row);
          output.setItem(row, value === null ? null : hash(value));
        }
        output.flush();
      },
    });
    session.connection.registerScalarFunction(hashFunction);
  };
  register('iceberg_hash_long', BIGINT, (value) => murmur3OfLong(value as bigint));
  register('iceberg_hash_decimal', HUGEINT, (unscaled) => murmur3(twosComplement(unscaled as bigint)));
  register('iceberg_hash_bytes', BLOB, (blob) => murmur3((blob as { bytes: Uint8Array }).bytes));
}

function identityKey(type: PrimitiveType, source: string): PartitionKey {
  switch (parsePrimitive(type).kind) {
    case 'string':
    case 'binary':
      return longKey(type, source);
    case 'date':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return { sql: longOf(type, source), needsNumber: false, parse: BigInt };
    default:
      return { sql: source, needsNumber: false, parse: (text) => parseDuckDbText(type, text) };
  }
}

function truncateKey(type: PrimitiveType, source: string, width: number): PartitionKey {
  const primitive = parsePrimitive(type);
  switch (primitive.kind) {
    case 'string':
      return longKey(type, `left(${source}, ${width})`);
    case 'binary':
      return longKey(type, `${source}[1:${width}]`);
    case 'decimal': {
      // The width counts units of the last place.
      const step = `(CAST(${width} AS DECIMAL(38, ${primitive.scale})) / 1${'0'.repeat(primitive.scale)})`;
      const exactStep = `CAST(${step} AS DECIMAL(38, ${primitive.scale}))`;
      const sql = `CAST(${floorTo(source, exactStep)} AS DECIMAL(38, ${primitive.scale}))`;
      return { sql, needsNumber: false, parse: (text) => parseDuckDbText(type, text) };
    }
    default: {
      // At the very low end the value below does not exist; Java's arithmetic wraps around there.
      const bits = primitive.kind === 'int' ? 32 : 64;
      const sql = floorTo(`CAST(${source} AS HUGEINT)`, String(width));
      return { sql, needsNumber: false, parse: (text) => BigInt.asIntN(bits, BigInt(text)) };
    }
  }
}

/** `v - (((v % W) + W) % W)`: the next multiple of W at or below v, also for negative ones. */
function floorTo(value: string, width: string): string {
  return `(${value} - (((${value} % ${width}) + ${width}) % ${width}))`;
}

function longKey(type: PrimitiveType, sql: string): PartitionKey {
  const isText = type === 'string';
  return { sql: isText ? sql : `hex(${sql})`, needsNumber: true, parse: (text) => parseDuckDbText(type, text) };
}

function hashSql(type: PrimitiveType, source: string): string {
  switch (parsePrimitive(type).kind) {
    case 'string':
      return `iceberg_hash_bytes(encode(${source}))`;
    case 'binary':
      return `iceberg_hash_bytes(${source})`;
    case 'uuid':
      return `iceberg_hash_bytes(unhex(replace(CAST(${source} AS VARCHAR), '-', '')))`;
    case 'decimal':
      return `iceberg_hash_decimal(CAST(replace(CAST(${source} AS VARCHAR), '.', '') AS HUGEINT))`;
    default:
      return `iceberg_hash_long(${longOf(type, source)})`;
  }
}

/** int, long, date and times as the one number that their type is stored as. */
function longOf(type: PrimitiveType, source: string): string {
  switch (parsePrimitive(type).kind) {
    case 'date':
      return `date_diff('day', DATE '1970-01-01', ${source})`;
    case 'time':
      return `date_diff('microsecond', TIME '00:00:00', ${source})`;
    case 'timestamp':
    case 'timestamptz':
      return `epoch_us(${source})`;
    default:
      return source;
  }
}

/** Partitions by time are in UTC, whatever the zone of the session is. */
function utcTimestamp(type: PrimitiveType, source: string): string {
  if (type === 'timestamptz') return `make_timestamp(epoch_us(${source}))`;
  return type === 'date' ? `CAST(${source} AS TIMESTAMP)` : source;
}
