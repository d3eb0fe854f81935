/**
 * A commit's requirements and updates against table metadata: Iceberg spec, "Table Metadata Fields", "Snapshot
 * References" and the REST catalog's specification of each requirement and update.
 */
import { CommitConflict } from './catalog.ts';
import { removeSnapshots } from './maintenance/remove-snapshots.ts';
import { lastPartitionId } from './partition-spec.ts';
import type { TableRequirement, TableUpdate } from './table-changes.ts';
import type { Snapshot, TableMetadata } from './table-metadata.ts';

/** @throws CommitConflict for the first requirement that does not hold */
export function checkRequirements(
  metadata: TableMetadata | undefined,
  requirements: readonly TableRequirement[],
): void {
  for (const requirement of requirements) {
    if (!holds(metadata, requirement)) throw new CommitConflict(`${requirement.type} does not hold any more`);
  }
}

function holds(metadata: TableMetadata | undefined, requirement: TableRequirement): boolean {
  if (requirement.type === 'assert-create') return metadata === undefined;
  if (metadata === undefined) return false;
  switch (requirement.type) {
    case 'assert-table-uuid':
      return metadata['table-uuid'] === requirement.uuid;
    case 'assert-ref-snapshot-id':
      return (metadata.refs?.[requirement.ref]?.['snapshot-id'] ?? null) === requirement['snapshot-id'];
    case 'assert-last-assigned-field-id':
      return metadata['last-column-id'] === requirement['last-assigned-field-id'];
    case 'assert-current-schema-id':
      return metadata['current-schema-id'] === requirement['current-schema-id'];
    case 'assert-last-assigned-partition-id':
      return metadata['last-partition-id'] === requirement['last-assigned-partition-id'];
    case 'assert-default-spec-id':
      return metadata['default-spec-id'] === requirement['default-spec-id'];
  }
}

/** The state in which `assign-uuid` and the other first updates find a table that does not exist yet. */
const NO_TABLE: TableMetadata = {
  'format-version': 2,
  'table-uuid': '',
  location: '',
  'last-sequence-number': 0n,
  'last-updated-ms': 0,
  'last-column-id': 0,
  'current-schema-id': -1,
  schemas: [],
  'default-spec-id': -1,
  'partition-specs': [],
  'last-partition-id': lastPartitionId([]),
  'default-sort-order-id': -1,
  'sort-orders': [],
  properties: {},
  refs: {},
  snapshots: [],
  'snapshot-log': [],
  'metadata-log': [],
};

/** The metadata after the updates; `base` undefined for a table that they make. */
export function applyUpdates(
  base: TableMetadata | undefined,
  updates: readonly TableUpdate[],
  nowMs: number,
): TableMetadata {
  const start = base ?? NO_TABLE;
  const changed = updates.reduce(applyUpdate, start);
  return { ...changed, 'last-updated-ms': Math.max(nowMs, start['last-updated-ms'], newestSnapshotMs(changed)) };
}

function applyUpdate(metadata: TableMetadata, update: TableUpdate): TableMetadata {
  switch (update.action) {
    case 'assign-uuid':
      return { ...metadata, 'table-uuid': update.uuid };
    case 'upgrade-format-version':
      return { ...metadata, 'format-version': Math.max(metadata['format-version'], update['format-version']) };
    case 'set-location':
      return { ...metadata, location: update.location };
    case 'add-schema':
      return {
        ...metadata,
        schemas: [...metadata.schemas, update.schema],
        'last-column-id': Math.max(metadata['last-column-id'], update['last-column-id']),
      };
    case 'set-current-schema': {
      const id = update['schema-id'] === -1 ? metadata.schemas.at(-1)?.['schema-id'] : update['schema-id'];
      return { ...metadata, 'current-schema-id': id ?? -1 };
    }
    case 'add-spec': {
      const specs = [...metadata['partition-specs'], update.spec];
      const last = Math.max(metadata['last-partition-id'], lastPartitionId(specs));
      return { ...metadata, 'partition-specs': specs, 'last-partition-id': last };
    }
    case 'set-default-spec': {
      const id = update['spec-id'] === -1 ? metadata['partition-specs'].at(-1)?.['spec-id'] : update['spec-id'];
      return { ...metadata, 'default-spec-id': id ?? -1 };
    }
    case 'add-sort-order':
      return { ...metadata, 'sort-orders': [...metadata['sort-orders'], update['sort-order']] };
    case 'set-default-sort-order': {
      const asked = update['sort-order-id'];
      const id = asked === -1 ? metadata['sort-orders'].at(-1)?.['order-id'] : asked;
      return { ...metadata, 'default-sort-order-id': id ?? -1 };
    }
    case 'add-snapshot':
      return addSnapshot(metadata, update.snapshot);
    case 'remove-snapshots':
      return removeSnapshots(metadata, new Set(update['snapshot-ids']));
    case 'set-snapshot-ref':
      return setRef(metadata, update);
    case 'remove-snapshot-ref': {
      const kept = Object.entries(metadata.refs ?? {}).filter(([name]) => name !== update['ref-name']);
      return { ...metadata, refs: Object.fromEntries(kept) };
    }
    case 'set-properties':
      return { ...metadata, properties: { ...metadata.properties, ...update.updates } };
    case 'remove-properties': {
      const gone = new Set(update.removals);
      const kept = Object.entries(metadata.properties ?? {}).filter(([key]) => !gone.has(key));
      return { ...metadata, properties: Object.fromEntries(kept) };
    }
  }
}

/** Spec, "Sequence Numbers": a snapshot's number is above every number assigned before it. */
function addSnapshot(metadata: TableMetadata, snapshot: Snapshot): TableMetadata {
  if (snapshot['sequence-number'] <= metadata['last-sequence-number']) {
    throw new CommitConflict(`sequence number ${snapshot['sequence-number']} is taken`);
  }
  return {
    ...metadata,
    snapshots: [...(metadata.snapshots ?? []), snapshot],
    'last-sequence-number': snapshot['sequence-number'],
  };
}

function setRef(metadata: TableMetadata, update: TableUpdate & { action: 'set-snapshot-ref' }): TableMetadata {
  const id = update['snapshot-id'];
  const before = metadata.refs?.[update['ref-name']];
  const ref = { ...before, type: update.type, 'snapshot-id': id };
  const refs = { ...metadata.refs, [update['ref-name']]: ref };
  if (update['ref-name'] !== 'main' || before?.['snapshot-id'] === id) return { ...metadata, refs };
  const snapshot = metadata.snapshots?.find((candidate) => candidate['snapshot-id'] === id);
  const entry = { 'snapshot-id': id, 'timestamp-ms': snapshot?.['timestamp-ms'] ?? metadata['last-updated-ms'] };
  return { ...metadata, refs, 'current-snapshot-id': id, 'snapshot-log': [...(metadata['snapshot-log'] ?? []), entry] };
}

function newestSnapshotMs(metadata: TableMetadata): number {
  return (metadata.snapshots ?? []).reduce((newest, snapshot) => Math.max(newest, snapshot['timestamp-ms']), 0);
}
