/**
 * Snapshots that a backfill leaves on its way: one for each partition, of which nobody needs more than the last ones.
 * Without that, ten thousand of them would be written anew with every commit.
 *
 * Only the table's metadata forgets them. Files that belong to them alone stay for readers that are still at it, until
 * maintenance removes what no commit refers to.
 */
import { LOAD_SUMMARY_KEY } from './load-ledger.ts';
import { backfillOf } from './partition-ledger.ts';
import type { TableUpdate } from './table-changes.ts';
import type { Snapshot, TableMetadata } from './table-metadata.ts';

/** Of one backfill, that of the commit itself left out. */
const MAX_SNAPSHOTS = 100;

/**
 * For the commit of a partition: the older snapshots of the same backfill go, unless a tag or a branch names them. None
 * that anything else made ever goes.
 */
export function forgetSnapshots(metadata: TableMetadata, loadName: string): TableUpdate[] {
  const backfill = backfillOf(loadName);
  if (backfill === undefined) return [];
  const named = new Set(Object.values(metadata.refs ?? {}).map((ref) => ref['snapshot-id']));
  const made = (metadata.snapshots ?? [])
    .filter((snapshot) => backfillOf(snapshot.summary[LOAD_SUMMARY_KEY] ?? '') === backfill)
    .toSorted((one, other) => order(one) - order(other));
  const gone = made.slice(0, Math.max(0, made.length - MAX_SNAPSHOTS)).map((snapshot) => snapshot['snapshot-id']);
  const ids = gone.filter((id) => !named.has(id));
  return ids.length === 0 ? [] : [{ action: 'remove-snapshots', 'snapshot-ids': ids }];
}

function order(snapshot: Snapshot): number {
  return Number(snapshot['sequence-number']);
}
