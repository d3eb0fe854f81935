/** The store behaves the same on PGlite and on PostgreSQL: its tests run on both. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { connectPglite } from '../../../src/store/connect-pglite.ts';
import { connectPostgres } from '../../../src/store/connect-postgres.ts';
import type { Connection } from '../../../src/store/connection.ts';
import type { Database } from '../../../src/store/database.ts';
import { storeOn, type Store } from '../../../src/store/store.ts';
import { startPostgres } from '../../support/postgres-server.ts';

const START_WITHIN_MS = 180_000;

interface Opened {
  connection: Connection;
  end: () => Promise<void>;
}

const DATABASES: Record<string, () => Promise<Opened>> = {
  async PGlite() {
    const folder = await mkdtemp(path.join(tmpdir(), 'pipeline-service-store-'));
    const connection = await connectPglite(path.join(folder, 'registry'));
    return {
      connection,
      end: async () => {
        await connection.close();
        await rm(folder, { recursive: true, maxRetries: 20, retryDelay: 200 });
      },
    };
  },
  async PostgreSQL() {
    const server = await startPostgres();
    const connection = await connectPostgres(server.url);
    return {
      connection,
      end: async () => {
        await connection.close();
        await server.stop();
      },
    };
  },
};

/** What a test works with; each test takes names of its own, as all of a file share the database. */
export interface Subject {
  store: Store;
  /** For what only time or an accident can do: to age rows, to break rules. */
  database: Database;
}

export function onEachDatabase(tests: (subject: Subject) => void): void {
  describe.each(Object.keys(DATABASES))('on %s', (name) => {
    const subject = {} as Subject;
    let opened: Opened | undefined;
    beforeAll(async () => {
      opened = await DATABASES[name]?.();
      if (opened === undefined) throw new TypeError(`no database ${name}`);
      subject.database = opened.connection.database;
      subject.store = storeOn(opened.connection);
    }, START_WITHIN_MS);
    afterAll(async () => {
      await opened?.end();
    }, START_WITHIN_MS);
    tests(subject);
  });
}
