/** Whether files that others wrote under a migrated schema can still be read under the one before. */
import { EngineError } from '../../../errors.ts';
import type { DataFile } from '../../iceberg/data-file.ts';
import type { LoadedTable } from '../../iceberg/catalog.ts';
import type { FileIo } from '../../iceberg/file-io.ts';
import { filesIn, liveManifestsOf } from '../../iceberg/read-snapshot.ts';
import { fieldById, parsePrimitive, type NestedField, type Schema } from '../../iceberg/schema.ts';
import { currentSnapshot, type TableMetadata } from '../../iceberg/table-metadata.ts';
import { type RetypedColumn, retypedColumns } from './retyped-column.ts';

/** Whether that depends on the files at all: adding and renaming columns and comments does not. */
export function dependsOnFiles(before: Schema, after: Schema): boolean {
  return (
    before.fields.some((field) => isGone(field, after) || becomesRequired(field, after)) ||
    retypedColumns(before, after).length > 0
  );
}

export interface WrittenSince {
  /** Paths of the files that may store a retyped column in its wider type, which readers of the narrower one do not take. */
  wide: ReadonlySet<string>;
  /** Delete files; those that were there before delete nothing of what was written since. */
  deletes: readonly DataFile[];
}

/**
 * @param since id of the snapshot that was current when the changes were applied
 * @throws EngineError `SchemaConflictError` with what is in the way; `UnsupportedError` for files that are not Parquet
 */
export async function writtenSince(
  { metadata, io }: LoadedTable,
  since: string | null,
  before: Schema,
  after: Schema,
): Promise<WrittenSince> {
  const files = await filesSince(metadata, since, io);
  refuseRewritten(
    files,
    since,
    before.fields.filter((field) => isGone(field, after)),
  );
  for (const field of before.fields) if (becomesRequired(field, after)) refuseNulls(files.added, field);
  const retyped = retypedColumns(before, after);
  const wide = files.added.filter((file) => !retyped.every((column) => isStoredNarrow(file, column)));
  const other = wide.find(({ format }) => format !== 'PARQUET');
  if (other !== undefined) throw new EngineError('UnsupportedError', `${other.format} data files are not read`);
  return { wide: new Set(wide.map(({ path }) => path)), deletes: files.deletes };
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
  /** Delete files that were added. */
  deletes: DataFile[];
}

async function filesSince(metadata: TableMetadata, since: string | null, io: FileIo): Promise<FilesSince> {
  const current = currentSnapshot(metadata);
  if (current === undefined || String(current['snapshot-id']) === since) return { added: [], removed: [], deletes: [] };
  const base = metadata.snapshots?.find((snapshot) => String(snapshot['snapshot-id']) === since);
  const before = base === undefined ? { data: [], deletes: [] } : await liveManifestsOf(base, io);
  const now = await liveManifestsOf(current, io);
  const [dataBefore, data] = [await filesIn(before.data, io), await filesIn(now.data, io)];
  const deletes = otherThan(await filesIn(before.deletes, io), await filesIn(now.deletes, io));
  return { added: otherThan(dataBefore, data), removed: otherThan(data, dataBefore), deletes };
}

function otherThan(known: readonly DataFile[], files: readonly DataFile[]): DataFile[] {
  const paths = new Set(known.map(({ path }) => path));
  return files.filter(({ path, recordCount }) => !paths.has(path) && recordCount > 0n);
}

/** Nobody can tell rows that were written anew, without the columns, from new ones. */
function refuseRewritten(
  { added, removed, deletes }: FilesSince,
  since: string | null,
  gone: readonly NestedField[],
): void {
  if (gone.length === 0 || added.length === 0) return;
  const lost = [
    ...(removed.length === 0 ? [] : [`${removed.length} files were replaced`]),
    ...(deletes.length === 0 ? [] : [`rows were deleted by ${deletes.length} delete files and others written`]),
  ];
  if (lost.length === 0) return;
  const names = gone.map(({ name }) => name).join(', ');
  throw refusal(
    `${lost.join(', and ')} since by ones without ${names}, whose values are in snapshot ${since ?? 'none'}; take them from there`,
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
