/**
 * What a migration leaves in the table's metadata, so that each of its calls finds what an earlier one did.
 *
 * A property holds how far it is. Two tags say the same in a form that a commit can require: `backup` is there from the
 * backup to the restore or the end, `applied` while the changes stand. A commit that was on its way for too long requires
 * tags that are gone, and fails.
 */
import { MIGRATION_PROPERTY_PREFIX as PROPERTY_PREFIX } from '../../iceberg/refuse-while-migrated.ts';
import type { TableRequirement, TableUpdate } from '../../iceberg/table-changes.ts';
import type { TableMetadata } from '../../iceberg/table-metadata.ts';

/** As for loads: far longer than anybody can ask for a migration again. */
const KEPT_MS = 400 * 24 * 3_600_000;

/** What a migration may change of a table. */
export interface MarkedShape {
  'schema-id': number;
  'spec-id': number;
  /** The property that engines show as the table's comment; null: none. */
  comment: string | null;
}

export interface Marker {
  /** `completed`: applied for good, and nothing was kept for a restore. */
  state: 'ready' | 'applied' | 'restored' | 'completed';
  'was-applied': boolean;
  'at-ms': number;
  /** While applied: the table at that moment, and what the changes made of it. */
  before?: MarkedShape & { 'snapshot-id': string | null };
  after?: MarkedShape;
}

export function tagsOf(migrationName: string): { backup: string; applied: string } {
  const backup = `pipeline-migration-${migrationName.replaceAll(/[^\w.-]/g, '-')}`;
  return { backup, applied: `${backup}-applied` };
}

export function findMarker(metadata: TableMetadata, migrationName: string): Marker | undefined {
  return readMarker(metadata.properties?.[PROPERTY_PREFIX + migrationName]);
}

/** The updates by which a commit says how far the migration is, and forgets those that are long over. */
export function recordMarker(metadata: TableMetadata, migrationName: string, marker: Marker): TableUpdate[] {
  const removals = Object.entries(metadata.properties ?? {})
    .filter(([key, value]) => key.startsWith(PROPERTY_PREFIX) && isOld(readMarker(value), marker['at-ms']))
    .map(([key]) => key);
  const updates: TableUpdate[] = [
    { action: 'set-properties', updates: { [PROPERTY_PREFIX + migrationName]: JSON.stringify(marker) } },
  ];
  return removals.length > 0 ? [...updates, { action: 'remove-properties', removals }] : updates;
}

/** The table is still the one that was read, as far as a migration is concerned: rows may come meanwhile. */
export function requireUnchanged(metadata: TableMetadata, migrationName: string): TableRequirement[] {
  const tags = Object.values(tagsOf(migrationName));
  return [
    { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
    { type: 'assert-current-schema-id', 'current-schema-id': metadata['current-schema-id'] },
    { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': metadata['last-column-id'] },
    { type: 'assert-default-spec-id', 'default-spec-id': metadata['default-spec-id'] },
    { type: 'assert-last-assigned-partition-id', 'last-assigned-partition-id': metadata['last-partition-id'] },
    ...tags.map((ref): TableRequirement => {
      const id = metadata.refs?.[ref]?.['snapshot-id'] ?? null;
      return { type: 'assert-ref-snapshot-id', ref, 'snapshot-id': id };
    }),
  ];
}

/** Removes those of the migration's tags that there are. */
export function removeTags(metadata: TableMetadata, migrationName: string): TableUpdate[] {
  return Object.values(tagsOf(migrationName))
    .filter((ref) => metadata.refs?.[ref] !== undefined)
    .map((ref) => ({ action: 'remove-snapshot-ref', 'ref-name': ref }));
}

export function commentOf(metadata: TableMetadata): string | null {
  return metadata.properties?.['comment'] ?? null;
}

function isOld(marker: Marker | undefined, nowMs: number): boolean {
  const isOver = marker?.state === 'restored' || marker?.state === 'completed';
  return isOver && marker['at-ms'] < nowMs - KEPT_MS;
}

function readMarker(value: string | undefined): Marker | undefined {
  if (value === undefined) return undefined;
  try {
    const marker = JSON.parse(value) as Partial<Marker> | null;
    return marker?.state !== undefined && marker['at-ms'] !== undefined ? (marker as Marker) : undefined;
  } catch {
    return undefined;
  }
}
