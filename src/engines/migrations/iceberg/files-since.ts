/** Whether files that others wrote under a migrated schema can still be read under the one before. */
import { EngineError } from '../../../errors.ts';
import type { DataFile } from '../../iceberg/data-file.ts';
import type { LoadedTable } from '../../iceberg/catalog.ts';
import { dataFilesOf } from '../../iceberg/read-snapshot.ts';
import { fieldById, parsePrimitive, type NestedField, type Schema } from '../../iceberg/schema.ts';
import { currentSnapshot, type Snapshot, type TableMetadata } from '../../iceberg/table-metadata.ts';
import { type RetypedColumn, retypedColumns } from './retyped-column.ts';

/** Whether that depends on the files at all: adding and renaming columns and comments does not. */
export function dependsOnFiles(before: Schema, after: Schema): boolean {
  return (
    before.fields.some((field) => isGone(field, after) || becomesRequired(field, after)) ||
    retypedColumns(before, after).length > 0
  );
}

/**
 * @param since id of the snapshot that was current when the changes were applied
 * @returns paths of the files written since that may store a retyped column in its wider type, which readers of the
 *   narrower one do not take
 * @throws EngineError `SchemaConflictError` with what is in the way
 */
export async function wideFilesSince(
  { metadata, io }: LoadedTable,
  since: string | null,
  before: Schema,
  after: Schema,
): Promise<ReadonlySet<string>> {
  const { added: files, removed } = await filesSince(metadata, since, (snapshot) => dataFilesOf(snapshot, io));
  refuseRewritten(
    { added: files, removed },
    since,
    before.fields.filter((field) => isGone(field, after)),
  );
  for (const field of before.fields) if (becomesRequired(field, after)) refuseNulls(files, field);
  const retyped = retypedColumns(before, after);
  const wide = files.filter((file) => !retyped.every((column) => isStoredNarrow(file, column)));
  return new Set(wide.map(({ path }) => path));
}

function isGone(field: NestedField, after: Schema): boolean {
  return fieldById(after, field.id) === undefined;
}

function becomesRequired(field: NestedField, after: Schema): boolean {
  return field.required && fieldById(after, field.id)?.required !== true;
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

/** By the length of a bound (spec, Appendix D): whoever wrote the file had not seen the new schema. Decimals do not tell. */
function isStoredNarrow(file: DataFile, { field, narrow }: RetypedColumn): boolean {
  const { kind } = parsePrimitive(narrow);
  const bound = file.lowerBounds?.get(field.id);
  return (kind === 'int' || kind === 'float') && bound !== undefined && bound.length === 4;
}

function refusal(message: string): EngineError {
  return new EngineError('SchemaConflictError', message);
}
