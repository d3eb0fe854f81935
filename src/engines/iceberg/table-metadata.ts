/**
 * Table metadata: Iceberg spec, "Table Metadata Fields" and Appendix C. The objects have the shape of the JSON;
 * fields that this writer does not know stay in them and go back out. Ids and sequence numbers are 64-bit, more than
 * JavaScript's numbers hold, so they are bigint.
 */
import { parse, stringify } from 'lossless-json';
import { EngineError } from '../../errors.ts';
import type { PartitionSpec } from './partition-spec.ts';
import type { Schema } from './schema.ts';

export interface SnapshotSummary {
  operation: 'append' | 'replace' | 'overwrite' | 'delete';
  [key: string]: string;
}

export interface Snapshot {
  'snapshot-id': bigint;
  'parent-snapshot-id'?: bigint;
  'sequence-number': bigint;
  'timestamp-ms': number;
  'manifest-list': string;
  summary: SnapshotSummary;
  'schema-id'?: number;
}

interface SnapshotRef {
  'snapshot-id': bigint;
  type: 'branch' | 'tag';
  'min-snapshots-to-keep'?: number;
  'max-snapshot-age-ms'?: number;
  'max-ref-age-ms'?: number;
}

export interface SortOrder {
  'order-id': number;
  fields: unknown[];
}

export interface TableMetadata {
  'format-version': number;
  'table-uuid': string;
  location: string;
  'last-sequence-number': bigint;
  'last-updated-ms': number;
  'last-column-id': number;
  'current-schema-id': number;
  schemas: Schema[];
  'default-spec-id': number;
  'partition-specs': PartitionSpec[];
  'last-partition-id': number;
  'default-sort-order-id': number;
  'sort-orders': SortOrder[];
  properties?: Record<string, string>;
  'current-snapshot-id'?: bigint | null;
  refs?: Record<string, SnapshotRef>;
  snapshots?: Snapshot[];
  statistics?: unknown[];
  'partition-statistics'?: unknown[];
  'snapshot-log'?: { 'snapshot-id': bigint; 'timestamp-ms': number }[];
  'metadata-log'?: { 'metadata-file': string; 'timestamp-ms': number }[];
}

const LONG_KEYS = new Set([
  'snapshot-id',
  'parent-snapshot-id',
  'current-snapshot-id',
  'sequence-number',
  'last-sequence-number',
]);

/**
 * Metadata as it stands in a file.
 *
 * @throws EngineError `UnsupportedError` for another format version than 2
 */
export function parseTableMetadata(text: string): TableMetadata {
  return tableMetadataOf(parseIcebergJson(text));
}

/** JSON in which the 64-bit fields of table metadata are bigint. */
export function parseIcebergJson(text: string): unknown {
  return parse(text, reviveLongs, parseNumber);
}

/**
 * Metadata as {@link parseIcebergJson} found it, in a catalog's answer for instance.
 *
 * @throws EngineError `UnsupportedError` for another format version than 2
 */
export function tableMetadataOf(parsed: unknown): TableMetadata {
  const metadata = parsed as TableMetadata;
  const version = metadata['format-version'];
  if (version !== 2) {
    const advice = version === 1 ? '; upgrade the table' : '';
    throw new EngineError('UnsupportedError', `the table has Iceberg format version ${version}, not 2${advice}`);
  }
  return withMainRef(metadata);
}

/** Spec, "Table Metadata Fields", `refs`: without it `main` is the current snapshot; -1 is an old way to say none. */
function withMainRef(metadata: TableMetadata): TableMetadata {
  const current = metadata['current-snapshot-id'] ?? -1n;
  if (current === -1n) return { ...metadata, 'current-snapshot-id': null };
  return { ...metadata, refs: { main: { 'snapshot-id': current, type: 'branch' }, ...metadata.refs } };
}

export function formatTableMetadata(metadata: TableMetadata): string {
  const text = stringify(metadata);
  if (text === undefined) throw new TypeError('no metadata');
  return text;
}

/** @throws EngineError `ValidationError` when the metadata names a schema that it does not have */
export function currentSchema(metadata: TableMetadata): Schema {
  const schema = metadata.schemas.find((candidate) => candidate['schema-id'] === metadata['current-schema-id']);
  if (schema === undefined) throw new EngineError('ValidationError', 'the table metadata lacks its current schema');
  return schema;
}

/** @throws EngineError `ValidationError` when the metadata names a spec that it does not have */
export function defaultSpec(metadata: TableMetadata): PartitionSpec {
  const spec = metadata['partition-specs'].find((candidate) => candidate['spec-id'] === metadata['default-spec-id']);
  if (spec === undefined) throw new EngineError('ValidationError', 'the table metadata lacks its partition spec');
  return spec;
}

/** URI of the folder for new files of a kind (`write.data.path`, `write.metadata.path`), without a slash at the end. */
export function fileFolder(metadata: TableMetadata, kind: 'data' | 'metadata'): string {
  const folder = metadata.properties?.[`write.${kind}.path`] ?? `${withoutSlash(metadata.location)}/${kind}`;
  return withoutSlash(folder);
}

function withoutSlash(uri: string): string {
  return uri.replace(/\/+$/, '');
}

/** The snapshot that `main` points to. */
export function currentSnapshot(metadata: TableMetadata): Snapshot | undefined {
  const id = metadata['current-snapshot-id'];
  return metadata.snapshots?.find((snapshot) => snapshot['snapshot-id'] === id);
}

function parseNumber(text: string): number | bigint {
  const number = Number(text);
  return Number.isInteger(number) && !Number.isSafeInteger(number) ? BigInt(text) : number;
}

/** The same keys may name properties, whose values are strings and stay so. */
function reviveLongs(key: string, value: unknown): unknown {
  return typeof value === 'number' && LONG_KEYS.has(key) ? BigInt(value) : value;
}
