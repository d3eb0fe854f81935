import { EngineError } from '../../../errors.ts';
import type { LoadedTable } from '../../iceberg/catalog.ts';
import type { TableRequirement, TableUpdate } from '../../iceberg/table-changes.ts';
import type { TableMetadata } from '../../iceberg/table-metadata.ts';
import type { RestoredTable } from '../table-migrator.ts';
import type { NextStep } from './commit-until-known.ts';
import { dependsOnFiles, writtenSince } from './files-since.ts';
import { commentOf, findMarker, type Marker, recordMarker, removeTags, requireUnchanged } from './migration-marker.ts';
import type { NarrowFiles } from './narrow-files.ts';
import { narrowingSnapshot, type WideTable } from './narrowing-snapshot.ts';
import { retypedColumns } from './retyped-column.ts';
import { schemaById } from './table-columns.ts';
import { commentUpdates } from './table-plan.ts';

/**
 * The one commit that puts schema, spec and comment back. Snapshots stay: a migration makes none. Only when others wrote a
 * column in a type that it was widened to, the commit has one with their rows in the type before.
 *
 * @throws EngineError `SchemaConflictError` when that would undo what others did, or make their rows unreadable
 */
export async function restoreStep(
  table: LoadedTable,
  name: string,
  narrowFiles: NarrowFiles,
): Promise<NextStep<RestoredTable>> {
  const { metadata } = table;
  const marker = findMarker(metadata, name);
  if (marker?.state === 'restored') return { done: { changed: marker['was-applied'], notes: [] } };
  if (marker?.state === 'completed') throw refusal('the migration is over, and what it kept for a restore is gone');
  const { updates, notes, requirements, files } =
    marker?.state === 'applied'
      ? await putBack(table, marker, narrowFiles)
      : { updates: [], notes: [], requirements: [], files: [] };
  const restored: Marker = {
    state: 'restored',
    'was-applied': marker?.['was-applied'] ?? false,
    'at-ms': Date.now(),
  };
  return {
    requirements: [...requireUnchanged(metadata, name), ...requirements],
    updates: [...updates, ...removeTags(metadata, name), ...recordMarker(metadata, name, restored)],
    answer: { changed: restored['was-applied'], notes },
    files,
  };
}

interface PutBack {
  requirements: TableRequirement[];
  updates: TableUpdate[];
  notes: string[];
  files: readonly string[];
}

async function putBack(table: LoadedTable, marker: Marker, narrowFiles: NarrowFiles): Promise<PutBack> {
  const { metadata } = table;
  const { before, after } = marker;
  if (before === undefined || after === undefined) throw refusal('its marker in the table was damaged');
  const notes: string[] = [];
  const updates: TableUpdate[] = [];
  const requirements: TableRequirement[] = [];
  let toNarrow: WideTable | undefined;
  const current = metadata['current-snapshot-id'] ?? null;
  if ((current?.toString() ?? null) !== before['snapshot-id']) {
    notes.push('what others wrote since was kept');
  }
  if (before['schema-id'] !== after['schema-id']) {
    refuseOthers(metadata['current-schema-id'], before['schema-id'], after['schema-id'], 'schema', metadata);
    const schemas = [schemaById(metadata, before['schema-id']), schemaById(metadata, after['schema-id'])] as const;
    if (dependsOnFiles(...schemas)) {
      const since = before['snapshot-id'];
      const written = await writtenSince(table, since, ...schemas).catch((error: unknown) => {
        throw error instanceof EngineError && !error.retryable ? refusal(error.message, error) : error;
      });
      const retyped = retypedColumns(...schemas);
      if (retyped.length > 0) toNarrow = { table, since, written, before: schemas[0], after: schemas[1], retyped };
      // Files that others add between this look and the commit were not looked at.
      requirements.push({ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': current });
    }
    updates.push({ action: 'set-current-schema', 'schema-id': before['schema-id'] });
  }
  if (before['spec-id'] !== after['spec-id']) {
    refuseOthers(metadata['default-spec-id'], before['spec-id'], after['spec-id'], 'partition spec', metadata);
    updates.push({ action: 'set-default-spec', 'spec-id': before['spec-id'] });
  } else refuseForeignSpec(metadata, before['schema-id']);
  if (before.comment !== after.comment) {
    if (commentOf(metadata) === after.comment) updates.push(...commentUpdates(after.comment, before.comment));
    else notes.push('others changed the comment of the table since; it was left');
  }
  if (toNarrow !== undefined) return withNarrowed({ requirements, updates, notes, files: [] }, toNarrow, narrowFiles);
  return { requirements, updates, notes, files: [] };
}

/** The same commit, with a snapshot that has what others wrote in a wider type in the one before. */
async function withNarrowed(putBack: PutBack, table: WideTable, narrowFiles: NarrowFiles): Promise<PutBack> {
  const narrowed = await narrowingSnapshot(table, narrowFiles).catch((error: unknown) => {
    // A full disk, say, is no reason to leave the table as it is.
    if (!(error instanceof EngineError) || error.retryable) throw error;
    if (error.type !== 'UnsupportedError') throw refusal(error.message, error);
    throw refusal(`files written since have to be written anew, in the types before: ${error.message}`, error);
  });
  if (narrowed === undefined) return putBack;
  const { snapshot, named, replaced } = narrowed;
  const note = `${replaced} files that others wrote since were written anew, in the types before`;
  return {
    ...putBack,
    updates: [
      ...putBack.updates,
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': snapshot['snapshot-id'] },
    ],
    notes: replaced > 0 ? [...putBack.notes, note] : putBack.notes,
    files: named,
  };
}

function refuseOthers(now: number, before: number, after: number, what: string, metadata: TableMetadata): void {
  if (now === after || now === before) return;
  throw refusal(
    `others changed its ${what} since (it is ${now}, the migration made it ${after}, it was ${before}); ` +
      `make the changes that lead back by hand, on top of theirs, in ${metadata.location}`,
  );
}

/** Others may partition by a column that the schema before does not have. */
function refuseForeignSpec(metadata: TableMetadata, schemaId: number): void {
  const spec = metadata['partition-specs'].find((one) => one['spec-id'] === metadata['default-spec-id']);
  const columns = new Set(schemaById(metadata, schemaId).fields.map(({ id }) => id));
  const orphan = spec?.fields.find((field) => field.transform !== 'void' && !columns.has(field['source-id']));
  // Fields inside structs are none of a migration's.
  const current = new Set(schemaById(metadata, metadata['current-schema-id']).fields.map(({ id }) => id));
  if (orphan !== undefined && current.has(orphan['source-id'])) {
    throw refusal(`others partitioned it since by ${orphan.name}, a column that it would lose`);
  }
}

function refusal(reason: string, cause?: EngineError): EngineError {
  const message = `the table was not put back, and stays as the migration left it: ${reason}`;
  return new EngineError('SchemaConflictError', message, cause && { cause });
}
