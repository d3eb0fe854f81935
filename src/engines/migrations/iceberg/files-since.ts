/** Whether files that others wrote under a migrated schema can still be read under the one before. */
import { EngineError } from '../../../errors.ts';
import type { DataFile } from '../../iceberg/data-file.ts';
import type { LoadedTable } from '../../iceberg/catalog.ts';
import { dataFilesOf } from '../../iceberg/read-snapshot.ts';
import { fieldById, isPrimitive, parsePrimitive, type NestedField, type Schema } from '../../iceberg/schema.ts';
import { currentSnapshot, type Snapshot, type TableMetadata } from '../../iceberg/table-metadata.ts';

/** Whether that depends on the files at all: adding and renaming columns and comments does not. */
export function dependsOnFiles(before: Schema, after: Schema): boolean {
  return before.fields.some(
    (field) => isGone(field, after) || becomesRequired(field, after) || becomesNarrow(field, after) !== undefined,
  );
}

/**
 * @param since id of the snapshot that was current when the changes were applied
 * @throws EngineError `SchemaConflictError` with what is in the way
 */
export async function refuseUnreadable(
  { metadata, io }: LoadedTable,
  since: string | null,
  before: Schema,
  after: Schema,
): Promise<void> {
  const { added: files, removed } = await filesSince(metadata, since, (snapshot) => dataFilesOf(snapshot, io));
  refuseRewritten(
    { added: files, removed },
    since,
    before.fields.filter((field) => isGone(field, after)),
  );
  for (const field of before.fields) {
    if (becomesRequired(field, after)) refuseNulls(files, field);
    const wide = becomesNarrow(field, after);
    if (wide !== undefined) refuseWider(files, field, wide);
  }
}

function isGone(field: NestedField, after: Schema): boolean {
  return fieldById(after, field.id) === undefined;
}

function becomesRequired(field: NestedField, after: Schema): boolean {
  return field.required && fieldById(after, field.id)?.required !== true;
}

/** The column as it is now, when its type is another. */
function becomesNarrow(field: NestedField, after: Schema): NestedField | undefined {
  const now = fieldById(after, field.id);
  return now !== undefined && JSON.stringify(now.type) !== JSON.stringify(field.type) ? now : undefined;
}

/** Whether rows were added, removed or written anew. */
interface FilesSince {
  added: DataFile[];
  removed: DataFile[];
}

async function filesSince(
  metadata: TableMetadata,
  since: string | null,
  read: (snapshot: Snapshot) => Promise<DataFile[]>,
): Promise<FilesSince> {
  const current = currentSnapshot(metadata);
  if (current === undefined || String(current['snapshot-id']) === since) return { added: [], removed: [] };
  const base = metadata.snapshots?.find((snapshot) => String(snapshot['snapshot-id']) === since);
  const before = base === undefined ? [] : await read(base);
  const now = await read(current);
  return { added: otherThan(before, now), removed: otherThan(now, before) };
}

function otherThan(known: readonly DataFile[], files: readonly DataFile[]): DataFile[] {
  const paths = new Set(known.map(({ path }) => path));
  return files.filter(({ path, recordCount }) => !paths.has(path) && recordCount > 0n);
}

/** Nobody can tell rows that were written anew, without the columns, from new ones. */
function refuseRewritten({ added, removed }: FilesSince, since: string | null, gone: readonly NestedField[]): void {
  if (gone.length === 0 || added.length === 0 || removed.length === 0) return;
  const names = gone.map(({ name }) => name).join(', ');
  throw refusal(
    `${removed.length} files were replaced since by ones without ${names}, whose values are in snapshot ${since ?? 'none'}; ` +
      'take them from there',
  );
}

function refuseNulls(files: readonly DataFile[], field: NestedField): void {
  const bad = files.filter((file) => file.nullCounts?.get(field.id) !== 0n);
  if (bad.length === 0) return;
  throw refusal(
    `${bad.length} files written since may have no value in ${field.name}, which was required; delete or rewrite their rows`,
  );
}

/** A wider type is stored wider, which readers of the narrower one do not take. */
function refuseWider(files: readonly DataFile[], narrow: NestedField, wide: NestedField): void {
  const bad = files.filter((file) => !isStoredNarrow(file, narrow, wide));
  if (bad.length === 0) return;
  const [from, to] = [typeText(wide), typeText(narrow)];
  throw refusal(
    `${bad.length} files written since hold ${narrow.name} as ${from}, which cannot be read as ${to}; rewrite their rows into a table of the old schema, or keep the new type`,
  );
}

/** By the length of a bound (spec, Appendix D): whoever wrote the file had not seen the new schema. */
function isStoredNarrow(file: DataFile, narrow: NestedField, wide: NestedField): boolean {
  if (!isPrimitive(narrow.type) || !isPrimitive(wide.type)) return false;
  // A file without the column has nothing to read.
  if (file.valueCounts !== null && file.valueCounts.get(narrow.id) === undefined) return true;
  const kind = parsePrimitive(narrow.type).kind;
  const bound = file.lowerBounds?.get(narrow.id);
  return (kind === 'int' || kind === 'float') && bound !== undefined && bound.length === 4;
}

function typeText({ type }: NestedField): string {
  return isPrimitive(type) ? type : type.type;
}

function refusal(message: string): EngineError {
  return new EngineError('SchemaConflictError', message);
}
