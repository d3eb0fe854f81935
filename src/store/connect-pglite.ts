/**
 * The embedded database: PGlite, PostgreSQL in WASM, on a folder. It is one connection, and it does not lock its
 * folder: whoever opens it holds the lock of `DATA_DIR` already.
 */
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { drizzle } from 'drizzle-orm/pglite';
import { migrate } from 'drizzle-orm/pglite/migrator';
import { ServiceError } from '../errors.ts';
import type { Connection } from './connection.ts';
import { MIGRATIONS } from './migrations.ts';
import { reasonOf } from './store-failure.ts';

const IN_MEMORY = 'memory://';
/** The tables are small and the machine is shared with DuckDB: an eighth of PostgreSQL's own 128 MB. */
const OPTIONS = { startParams: [...PGlite.defaultStartParams, '-c', 'shared_buffers=16MB'] };

/** Opens the folder, which is made at the first time; `memory://` keeps nothing. */
export async function connectPglite(folder: string): Promise<Connection> {
  try {
    if (folder !== IN_MEMORY) await makeCluster(folder);
    const client = await PGlite.create(folder, OPTIONS);
    const database = drizzle(client);
    await migrate(database, MIGRATIONS);
    return { database, close: () => client.close() };
  } catch (error) {
    throw new ServiceError('SERVICE_UNAVAILABLE', `cannot open the database in ${folder}: ${reasonOf(error)}`);
  }
}

/** Makes a new cluster beside its place and moves it there whole: one that was made half by a killed process is useless. */
async function makeCluster(folder: string): Promise<void> {
  if (existsSync(folder)) return;
  const unfinished = `${folder}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(path.dirname(folder), { recursive: true });
  const client = await PGlite.create(unfinished, OPTIONS);
  await client.close();
  await rename(unfinished, folder);
}
