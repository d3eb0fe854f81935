/**
 * The loads that a table has already had (spec section 2, "External jobs: exactly one"). A load's name stands in its
 * snapshot's summary and, written by the same commit, in a table property of its own: snapshots are expired by whoever
 * cleans up the table, properties are not.
 *
 * One property for each load rather than one list, so that no writer has to rewrite what another one wrote. They stay
 * for {@link LOADS_KEPT_MS} and are dropped by the commits after that: far longer than a run stays in the registry
 * (`RUN_RETENTION`, 90 days), and only a run that is there can be tried again. A table that is loaded every hour
 * thereby carries some 10,000 of them, about 1 MB of its metadata. Those of a backfill, which may be as many in an hour,
 * stand together in one (`partition-ledger.ts`).
 */
import type { Interval } from '../sources/interval.ts';
import { hasPartition, partitionsCommittedAtMs, withPartition } from './partition-ledger.ts';
import { currentSnapshot, type TableMetadata } from './table-metadata.ts';
import type { TableUpdate } from './table-changes.ts';

/** In the snapshot's summary, as all engines of this service write it. */
export const LOAD_SUMMARY_KEY = 'pipeline.load-id';
const SUMMARY_ROWS = 'pipeline.load-rows';
const SUMMARY_BYTES = 'pipeline.load-bytes';
const PROPERTY_PREFIX = 'pipeline.load.';
const LOADS_KEPT_MS = 400 * 24 * 3_600_000;

export interface CommittedLoad {
  /** Null, like the others, when only that it was committed is known any more. */
  snapshotId: string | null;
  rows: number | null;
  bytes: number | null;
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
  if (snapshot !== undefined) {
    const { summary } = snapshot;
    return {
      snapshotId: String(snapshot['snapshot-id']),
      rows: Number(summary[SUMMARY_ROWS] ?? summary['added-records'] ?? 0),
      bytes: Number(summary[SUMMARY_BYTES] ?? summary['added-files-size'] ?? 0),
    };
  }
  // Somebody emptied the property; that it is there is what counts.
  if (Object.hasOwn(metadata.properties ?? {}, PROPERTY_PREFIX + loadName)) {
    return { snapshotId: currentSnapshot(metadata)?.['snapshot-id'].toString() ?? null, rows: 0, bytes: 0 };
  }
  return hasPartition(metadata, loadName) ? { snapshotId: null, rows: null, bytes: null } : undefined;
}

/** What the snapshot of a load says of it. */
export function loadSummary(
  loadName: string,
  { rows, bytes }: { rows: number; bytes: number },
): Record<string, string> {
  return { [LOAD_SUMMARY_KEY]: loadName, [SUMMARY_ROWS]: String(rows), [SUMMARY_BYTES]: String(bytes) };
}

/**
 * The updates by which a commit remembers its load, and forgets those that nobody can try again.
 *
 * @param load with the interval of which it replaces the rows, if it does
 */
export function recordLoad(
  metadata: TableMetadata,
  { loadName, interval }: { loadName: string; interval: Interval | undefined },
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
    .filter(([key, value]) => isOld(committedAtMs(key, value), nowMs))
    .map(([key]) => key);
  const written = withPartition(metadata, loadName, interval, nowMs) ?? {
    [PROPERTY_PREFIX + loadName]: JSON.stringify(entry),
  };
  const updates: TableUpdate[] = [{ action: 'set-properties', updates: written }];
  return removals.length > 0 ? [...updates, { action: 'remove-properties', removals }] : updates;
}

function committedAtMs(key: string, value: string): number | undefined {
  return key.startsWith(PROPERTY_PREFIX) ? readEntry(value)?.['committed-at-ms'] : partitionsCommittedAtMs(key, value);
}

function isOld(atMs: number | undefined, nowMs: number): boolean {
  return atMs !== undefined && atMs < nowMs - LOADS_KEPT_MS;
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
