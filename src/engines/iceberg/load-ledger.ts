/**
 * The loads that a table has already had (spec section 2, "External jobs: exactly one"). A load's name stands in its
 * snapshot's summary and, written by the same commit, in a table property of its own: snapshots are expired by whoever
 * cleans up the table, properties are not.
 *
 * One property for each load rather than one list, so that no writer has to rewrite what another one wrote. They stay
 * for {@link LOADS_KEPT_MS} and are dropped by the commits after that: far longer than a run stays in the registry
 * (`RUN_RETENTION`, 90 days), and only a run that is there can be tried again. A table that is loaded every hour
 * thereby carries some 10,000 of them, about 1 MB of its metadata.
 */
import { currentSnapshot, type TableMetadata } from './table-metadata.ts';
import type { TableUpdate } from './table-changes.ts';

/** In the snapshot's summary, as all engines of this service write it. */
export const LOAD_SUMMARY_KEY = 'pipeline.load-id';
const PROPERTY_PREFIX = 'pipeline.load.';
const LOADS_KEPT_MS = 400 * 24 * 3_600_000;

export interface CommittedLoad {
  snapshotId: string | null;
  rows: number;
  bytes: number;
}

/** The value of a load's property, as JSON. */
interface LedgerEntry {
  'snapshot-id': string;
  rows: number;
  bytes: number;
  'committed-at-ms': number;
}

/** What a load of this name committed; undefined when the table does not have it. */
export function findLoad(metadata: TableMetadata, loadName: string): CommittedLoad | undefined {
  const entry = readEntry(metadata.properties?.[PROPERTY_PREFIX + loadName]);
  if (entry !== undefined) return { snapshotId: entry['snapshot-id'], rows: entry.rows, bytes: entry.bytes };
  const snapshot = metadata.snapshots?.find((candidate) => candidate.summary[LOAD_SUMMARY_KEY] === loadName);
  if (snapshot === undefined) {
    // Somebody emptied the property; that it is there is what counts.
    return Object.hasOwn(metadata.properties ?? {}, PROPERTY_PREFIX + loadName)
      ? { snapshotId: currentSnapshot(metadata)?.['snapshot-id'].toString() ?? null, rows: 0, bytes: 0 }
      : undefined;
  }
  return {
    snapshotId: String(snapshot['snapshot-id']),
    rows: Number(snapshot.summary['added-records'] ?? 0),
    bytes: Number(snapshot.summary['added-files-size'] ?? 0),
  };
}

/** The updates by which a commit remembers its load, and forgets those that nobody can try again. */
export function recordLoad(
  metadata: TableMetadata,
  loadName: string,
  committed: { snapshotId: bigint; rows: number; bytes: number },
  nowMs: number,
): TableUpdate[] {
  const entry: LedgerEntry = {
    'snapshot-id': String(committed.snapshotId),
    rows: committed.rows,
    bytes: committed.bytes,
    'committed-at-ms': nowMs,
  };
  const removals = Object.entries(metadata.properties ?? {})
    .filter(([key, value]) => key.startsWith(PROPERTY_PREFIX) && isOld(readEntry(value), nowMs))
    .map(([key]) => key);
  const updates: TableUpdate[] = [
    { action: 'set-properties', updates: { [PROPERTY_PREFIX + loadName]: JSON.stringify(entry) } },
  ];
  return removals.length > 0 ? [...updates, { action: 'remove-properties', removals }] : updates;
}

function isOld(entry: LedgerEntry | undefined, nowMs: number): boolean {
  return entry !== undefined && entry['committed-at-ms'] < nowMs - LOADS_KEPT_MS;
}

function readEntry(value: string | undefined): LedgerEntry | undefined {
  if (value === undefined) return undefined;
  try {
    const entry = JSON.parse(value) as Partial<LedgerEntry> | null;
    const { rows, bytes } = entry ?? {};
    const [id, at] = [entry?.['snapshot-id'], entry?.['committed-at-ms']];
    const whole =
      typeof id === 'string' && typeof rows === 'number' && typeof bytes === 'number' && typeof at === 'number';
    return whole ? { 'snapshot-id': id, rows, bytes, 'committed-at-ms': at } : undefined;
  } catch {
    return undefined;
  }
}
