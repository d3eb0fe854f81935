/**
 * An SQLite file that other programs use at the same time. `node:sqlite` is synchronous, so it never waits for a lock
 * itself: a busy file is tried again later, and the process goes on meanwhile.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseSync, type SQLInputValue, type SQLOutputValue } from 'node:sqlite';
import { EngineError, messageOf } from '../../errors.ts';

/** A commit of ours takes milliseconds; somebody else's that takes this long is stuck. */
const BUSY_LIMIT_MS = 60_000;
const BUSY_PAUSE_MS = { least: 2, most: 50 };
/** The lowest byte of an extended result code is the code: https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5;

export interface Statement {
  sql: string;
  parameters: SQLInputValue[];
}

export class SqliteFile {
  readonly #file: string;
  readonly #schema: string;
  #opened: Promise<DatabaseSync> | undefined;

  /** @param schema statements that make what is missing; run when the file is used first */
  constructor(file: string, schema: string) {
    this.#file = file;
    this.#schema = schema;
  }

  async read(sql: string, parameters: SQLInputValue[]): Promise<Record<string, SQLOutputValue> | undefined> {
    const database = await this.#open();
    return whenNotBusy(() => database.prepare(sql).get(...parameters));
  }

  async readAll(sql: string): Promise<Record<string, SQLOutputValue>[]> {
    const database = await this.#open();
    return whenNotBusy(() => database.prepare(sql).all());
  }

  /**
   * All statements in one transaction, durable when this returns; rolled back, and false, when the first one changes
   * nothing.
   */
  async write(statements: readonly Statement[]): Promise<boolean> {
    const database = await this.#open();
    return whenNotBusy(() => {
      database.exec('BEGIN IMMEDIATE');
      try {
        const changes = statements.map(({ sql, parameters }) => database.prepare(sql).run(...parameters).changes);
        database.exec(changes[0] === 0 ? 'ROLLBACK' : 'COMMIT');
        return changes[0] !== 0;
      } catch (error) {
        // A busy COMMIT leaves the transaction open; nothing of it is visible to anybody yet.
        if (database.isTransaction) database.exec('ROLLBACK');
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    const database = await this.#opened?.catch(() => undefined);
    if (database?.isOpen === true) database.close();
    this.#opened = Promise.reject(new Error('the catalog is closed'));
    this.#opened.catch(() => undefined);
  }

  #open(): Promise<DatabaseSync> {
    this.#opened ??= this.#openFile().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  async #openFile(): Promise<DatabaseSync> {
    const database = new DatabaseSync(this.#file, { timeout: 0 });
    try {
      await whenNotBusy(() => {
        // A rollback journal, since not every reader can share a WAL; EXTRA: a power cut undoes no acknowledged commit.
        database.exec('PRAGMA journal_mode = DELETE');
        database.exec('PRAGMA synchronous = EXTRA');
        database.exec(this.#schema);
      });
    } catch (error) {
      database.close();
      throw error;
    }
    return database;
  }
}

/** @throws EngineError `UnavailableError` when others keep the file locked */
async function whenNotBusy<T>(work: () => T): Promise<T> {
  const giveUpAt = Date.now() + BUSY_LIMIT_MS;
  for (;;) {
    try {
      return work();
    } catch (error) {
      const code = (error as { errcode?: number }).errcode ?? 0;
      if ((code & 0xff) !== SQLITE_BUSY) throw error;
      if (Date.now() > giveUpAt) {
        throw new EngineError('UnavailableError', `the catalog is locked by another program: ${messageOf(error)}`);
      }
    }
    await sleep(BUSY_PAUSE_MS.least + Math.random() * (BUSY_PAUSE_MS.most - BUSY_PAUSE_MS.least));
  }
}
