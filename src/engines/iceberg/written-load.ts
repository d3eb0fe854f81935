/** The rows of a load as files that belong to no snapshot yet. */
import { rm } from 'node:fs/promises';
import { EngineError } from '../../errors.ts';
import type { Dataset } from '../dataset.ts';
import type { DuckDbEngine, DuckDbSession } from '../duckdb/duckdb-engine.ts';
import { quoteIdentifier } from '../duckdb/quote.ts';
import { NO_TYPE, withoutValuelessTypes } from '../duckdb/valueless-columns.ts';
import type { LoadedTable } from './catalog.ts';
import type { DataFile } from './data-file.ts';
import { duckDbTypeOf, inputTypeOf, type InputColumn } from './duckdb-types.ts';
import type { LoadPlan } from './load-plan.ts';
import { leafColumns, type NestedField } from './schema.ts';
import { fileFolder } from './table-metadata.ts';
import { type FilePlace, ROWS, writePartitioned } from './write-data-files.ts';

/** The view of a session that has the rows. */
export const INPUT = 'input';

/** The columns of the {@link INPUT} of a session, with the Iceberg types they become. */
export async function describeInput(session: DuckDbSession): Promise<InputColumn[]> {
  const nothing = `SELECT * FROM ${INPUT} LIMIT 0`;
  // The session tells what is wrong with the files, if anything is; the connection tells the types.
  await session.run(nothing);
  const result = await session.connection.run(nothing);
  const types = result.columnTypes();
  const columns = result.columnNames().map((name, at): InputColumn => {
    const type = types[at];
    if (type === undefined) throw new TypeError(`DuckDB told no type for ${name}`);
    return { name, type: inputTypeOf(type, name) };
  });
  const described = columns.map(({ name }, at) => ({ name, type: String(types[at]) }));
  const typed = await withoutValuelessTypes(session, INPUT, described);
  return columns.map((column, at) => (typed[at]?.type === NO_TYPE ? { ...column, valueless: true } : column));
}

export interface LoadToWrite {
  plan: LoadPlan;
  input: Dataset;
  /** Gets the URI of each file. */
  uncommitted: string[];
  signal: AbortSignal;
}

/** Writes the rows elsewhere than in this process; what it answers is in the table's folder. */
export type LoadWriter = (load: LoadToWrite) => Promise<DataFile[]>;

/** A session that has the rows as {@link INPUT}, and a folder of its own from which it can give files to the table. */
export async function withRows<T>(
  table: LoadedTable,
  { input, signal }: Pick<LoadToWrite, 'input' | 'signal'>,
  duckdb: DuckDbEngine,
  use: (session: DuckDbSession, scratchFolder: string) => Promise<T>,
): Promise<T> {
  return withScratchFolder(table, (scratchFolder) => {
    const request = { signal, inputs: { [INPUT]: input }, writable: [scratchFolder], readable: [scratchFolder] };
    return duckdb.withSession(request, (session) => use(session, scratchFolder));
  });
}

/**
 * Writes all rows of the {@link INPUT} of a session.
 *
 * @throws EngineError `ValidationError` when a column that the table requires has no value in some row
 */
export async function writeLoad(
  { plan, uncommitted, signal }: Omit<LoadToWrite, 'input'>,
  session: DuckDbSession,
  scratchFolder: string,
): Promise<DataFile[]> {
  const place = filePlace(plan, scratchFolder, uncommitted, signal);
  const columns = plan.columns.map((field) => ({ field, sql: castColumn(field) }));
  const byName = new Map(plan.schema.fields.map((field) => [field.name, field]));
  const present = new Set(plan.columns.map((field) => field.name));
  const sourceSql = (name: string): string => {
    const field = byName.get(name);
    if (field === undefined) throw new TypeError(`the table has no column ${name}`);
    return present.has(name) ? castColumn(field) : `CAST(NULL AS ${duckDbTypeOf(field.type)})`;
  };
  const files = await writePartitioned(session, { relation: INPUT, columns }, plan.fields, sourceSql, place);
  checkRequired(plan, files);
  return files;
}

/** A column of {@link ROWS} as the table's type. */
export function castColumn(field: NestedField): string {
  return `CAST(${ROWS}.${quoteIdentifier(field.name)} AS ${duckDbTypeOf(field.type)})`;
}

/** Where new files of a load lie, and the spec that they are partitioned by: the default one. */
export function filePlace(
  { table: { metadata, io }, spec }: LoadPlan,
  scratchFolder: string,
  uncommitted: string[],
  signal: AbortSignal,
): FilePlace {
  const dataFolder = fileFolder(metadata, 'data');
  return { io, specId: spec['spec-id'], dataFolder, scratchFolder, uncommitted, signal };
}

export async function withScratchFolder<T>(
  { io, metadata }: LoadedTable,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = await io.newScratchFolder(fileFolder(metadata, 'data'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @throws EngineError `ValidationError` for a column that must have a value, and has none in some row */
export function checkRequired(plan: LoadPlan, files: readonly DataFile[]): void {
  const required = leafColumns({ type: 'struct', fields: plan.columns }).filter((leaf) => leaf.required);
  const broken = required.filter((leaf) => files.some((file) => (file.nullCounts?.get(leaf.id) ?? 0n) > 0n));
  if (broken.length > 0) {
    const names = broken.map((leaf) => leaf.path.join('.')).join(', ');
    throw new EngineError('ValidationError', `the table requires a value in ${names}, and some rows have none`);
  }
}
