/**
 * Which snapshots, branches and tags are old: Iceberg spec, "Snapshot Retention Policy". What a branch or tag points to is
 * kept as long as the branch or tag is, and of each branch so many of the newest, and all that are young enough.
 */
import type { Snapshot, TableMetadata } from '../table-metadata.ts';

export interface Retention {
  /** The table's `history.expire.max-snapshot-age-ms` when left out. */
  olderThanMs?: number | undefined;
  /** The table's `history.expire.min-snapshots-to-keep` when left out. */
  retainLast?: number | undefined;
}

export interface Expiry {
  snapshots: Snapshot[];
  /** Names of branches and tags that are older than their own `max-ref-age-ms`. */
  refs: string[];
}

/** Iceberg's defaults, of tables that say nothing. */
const MAX_SNAPSHOT_AGE_MS = 5 * 86_400_000;
const MIN_SNAPSHOTS_TO_KEEP = 1;

export function snapshotsToExpire(metadata: TableMetadata, retention: Retention, nowMs: number): Expiry {
  const { snapshots = [], properties = {}, refs = {} } = metadata;
  const byId = new Map(snapshots.map((snapshot) => [snapshot['snapshot-id'], snapshot]));
  const ageMs =
    retention.olderThanMs ?? numberOr(properties['history.expire.max-snapshot-age-ms'], MAX_SNAPSHOT_AGE_MS);
  const least =
    retention.retainLast ?? numberOr(properties['history.expire.min-snapshots-to-keep'], MIN_SNAPSHOTS_TO_KEEP);
  const refAgeMs = numberOr(properties['history.expire.max-ref-age-ms'], Number.POSITIVE_INFINITY);
  const kept = new Set<bigint>();
  const referenced = new Set<bigint>();
  const oldRefs: string[] = [];
  for (const [name, ref] of Object.entries(refs)) {
    const head = byId.get(ref['snapshot-id']);
    const old = head === undefined || nowMs - head['timestamp-ms'] > (ref['max-ref-age-ms'] ?? refAgeMs);
    if (old && name !== 'main') {
      oldRefs.push(name);
      continue;
    }
    if (head === undefined) continue;
    kept.add(head['snapshot-id']);
    referenced.add(head['snapshot-id']);
    if (ref.type !== 'branch') continue;
    const leastOfRef = ref['min-snapshots-to-keep'] ?? least;
    const ageOfRefMs = ref['max-snapshot-age-ms'] ?? ageMs;
    for (const [at, snapshot] of ancestors(head, byId).entries()) {
      referenced.add(snapshot['snapshot-id']);
      const young = nowMs - snapshot['timestamp-ms'] <= ageOfRefMs;
      if (at < leastOfRef || young) kept.add(snapshot['snapshot-id']);
    }
  }
  // What no branch has may be staged by somebody who is about to publish it.
  for (const snapshot of snapshots) {
    const id = snapshot['snapshot-id'];
    if (!referenced.has(id) && nowMs - snapshot['timestamp-ms'] <= ageMs) kept.add(id);
  }
  return { snapshots: snapshots.filter((snapshot) => !kept.has(snapshot['snapshot-id'])), refs: oldRefs };
}

/** The snapshot itself first. A history that was expired before ends where the rest of it is gone. */
function ancestors(head: Snapshot, byId: ReadonlyMap<bigint, Snapshot>): Snapshot[] {
  const found: Snapshot[] = [];
  const seen = new Set<bigint>();
  let next: Snapshot | undefined = head;
  while (next !== undefined && !seen.has(next['snapshot-id'])) {
    found.push(next);
    seen.add(next['snapshot-id']);
    const parent: bigint | undefined = next['parent-snapshot-id'];
    next = parent === undefined ? undefined : byId.get(parent);
  }
  return found;
}

/** A property that is no number is as good as none. */
function numberOr(text: string | undefined, otherwise: number): number {
  const number = text === undefined || text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(number) && number >= 0 ? number : otherwise;
}
