import { rm, truncate, open } from 'node:fs/promises';
import { EngineError } from '../../errors.ts';
import type { Dataset } from '../dataset.ts';
import type { DuckDbEngine } from '../duckdb/duckdb-engine.ts';
import { measureDataset } from '../duckdb/measure-dataset.ts';
import { inParallel } from '../iceberg/in-parallel.ts';
import { parseS3Uri, s3Uri, type S3Address } from './s3-address.ts';
import type { S3Access } from './s3-access.ts';
import type { ListedObject, S3Objects } from './s3-objects.ts';

/** Magic at both ends of a Parquet file, and before the last one the length of its footer (Parquet format, "File format"). */
const MAGIC = 'PAR1';
const TAIL_BYTES = 8;
/** Most footers are smaller, so that one request brings them. */
const GUESSED_FOOTER_BYTES = 64 * 1024;

/** The Parquet objects that lie in a folder, or the one of that name, without what lies deeper. */
export async function parquetObjects(s3: S3Objects, at: S3Address, signal?: AbortSignal): Promise<ListedObject[]> {
  return parquetAmong(await allObjects(s3, at, signal), at);
}

async function allObjects(s3: S3Objects, at: S3Address, signal?: AbortSignal): Promise<ListedObject[]> {
  const found: ListedObject[] = [];
  for await (const object of s3.list(at, signal)) found.push(object);
  return found;
}

function parquetAmong(objects: readonly ListedObject[], at: S3Address): ListedObject[] {
  const isFolder = at.key === '' || at.key.endsWith('/');
  return objects.filter(({ key }) => {
    const name = key.slice(at.key.length);
    return isFolder ? !name.includes('/') && name.endsWith('.parquet') : name === '';
  });
}

/**
 * What another engine left in a folder on S3, or as one object; undefined when there is nothing. Only the footers are
 * read, however large the files are.
 *
 * @param look at the names of all that lies there, also deeper, before any of it is read
 * @throws EngineError `ValidationError` for an object that is no Parquet
 */
export async function datasetOnS3(
  duckdb: DuckDbEngine,
  { objects: s3, scratch }: S3Access,
  uri: string,
  signal: AbortSignal,
  look: (names: readonly string[]) => void = () => undefined,
): Promise<Dataset | undefined> {
  const at = parseS3Uri(uri);
  const listed = await allObjects(s3, at, signal);
  look(listed.map(({ key }) => key.slice(at.key.length)));
  const objects = parquetAmong(listed, at);
  if (objects.length === 0) return undefined;
  const folder = await scratch.newFolder();
  try {
    await footerFiles(s3, objects, folder, signal);
    const { rows, bytes } = await duckdb.withSession({ signal, readable: [folder] }, (session) =>
      measureDataset(session, folder),
    );
    return { uri, rows, bytes };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Of each object a local file of its name in which there is nothing but its footer. */
export async function footerFiles(
  s3: S3Objects,
  objects: readonly ListedObject[],
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  await inParallel(objects, (object) =>
    footerFile(s3, object, folder + object.key.slice(object.key.lastIndexOf('/') + 1), signal),
  );
}

/** A local file as long as the object, in which there is nothing but the footer: who reads metadata reads no more. */
async function footerFile(s3: S3Objects, object: ListedObject, path: string, signal: AbortSignal): Promise<void> {
  const { sizeBytes, etag } = object;
  const end = (bytes: number) => s3.readRange(object, `bytes=-${bytes}`, etag, signal);
  let tail = sizeBytes < TAIL_BYTES ? Buffer.alloc(0) : await end(Math.min(sizeBytes, GUESSED_FOOTER_BYTES));
  const wanted = tail.length < TAIL_BYTES ? 0 : tail.readUInt32LE(tail.length - TAIL_BYTES) + TAIL_BYTES;
  if (wanted === 0 || wanted > sizeBytes || tail.toString('latin1', tail.length - MAGIC.length) !== MAGIC) {
    throw new EngineError('ValidationError', `${s3Uri(object)} is no Parquet file`);
  }
  if (wanted > tail.length) tail = await end(wanted);
  await using file = await open(path, 'wx', 0o600);
  await truncate(path, sizeBytes);
  await file.write(MAGIC, 0);
  await file.write(tail, 0, tail.length, sizeBytes - tail.length);
}
