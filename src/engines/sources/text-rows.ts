import { DuckDBDataChunk, VARCHAR } from '@duckdb/node-api';
import { EngineError } from '../../errors.ts';
import type { Dataset } from '../dataset.ts';
import type { DuckDbSession } from '../duckdb/duckdb-engine.ts';
import { measureDataset } from '../duckdb/measure-dataset.ts';
import { quoteIdentifier, quoteLiteral } from '../duckdb/quote.ts';
import type { SqlCondition } from './interval.ts';

/** A row as a database writes it in text, which loses nothing; DuckDB reads it into its types. */
export type TextRow = readonly (string | null)[];

/** A column of a source and how its text becomes a value. */
export interface TextColumn {
  name: string;
  /** DuckDB's name of the type it lands with. */
  type: string;
  /** DuckDB's SQL of the value, given the SQL of the text. A cast to `type` when absent. */
  value?: (text: string) => string;
}

/** How much is held in memory at once; DuckDB spills beyond that. */
const PART_ROWS = 250_000;
const PART_CHARACTERS = 32 * 1024 * 1024;
/** DuckDB's vector size, the most that one chunk holds. */
const CHUNK_ROWS = 2048;
const TABLE = 'landing';

/** Collects rows from any number of readers and writes them as Parquet, part by part, in bounded memory. */
export class TextRows {
  readonly #session: DuckDbSession;
  readonly #columns: readonly TextColumn[];
  readonly #folder: string;
  readonly #condition: SqlCondition | undefined;
  /** One writer at a time: whoever appends waits for those before. */
  #turn: Promise<void> = Promise.resolve();
  #parts = 0;
  #heldRows = 0;
  #heldCharacters = 0;

  /**
   * @param folder absolute, ends with `/`, writable for the session
   * @param condition on the values; rows that do not meet it are left out
   * @throws EngineError `ValidationError` for columns that DuckDB, which does not tell case, cannot tell apart
   */
  static async create(
    session: DuckDbSession,
    columns: readonly TextColumn[],
    folder: string,
    condition?: SqlCondition,
  ): Promise<TextRows> {
    refuseEqualNames(columns);
    const rows = new TextRows(session, columns, folder, condition);
    await rows.#recreate();
    return rows;
  }

  private constructor(
    session: DuckDbSession,
    columns: readonly TextColumn[],
    folder: string,
    condition: SqlCondition | undefined,
  ) {
    this.#session = session;
    this.#columns = columns;
    this.#folder = folder;
    this.#condition = condition;
  }

  async append(rows: readonly TextRow[]): Promise<void> {
    const turn = this.#turn.then(() => this.#append(rows));
    // A failed turn fails its own caller; those behind it fail by themselves.
    this.#turn = turn.catch(() => undefined);
    await turn;
  }

  /** Writes what is left. A source without rows is a file without rows, since its columns matter. */
  async finish(): Promise<Dataset> {
    await this.#turn;
    if (this.#heldRows > 0 || this.#parts === 0) await this.#writePart();
    return measureDataset(this.#session, this.#folder);
  }

  async #append(rows: readonly TextRow[]): Promise<void> {
    if (rows.length === 0) return;
    const types = this.#columns.map(() => VARCHAR);
    const appender = await this.#session.connection.createAppender(TABLE);
    try {
      for (let start = 0; start < rows.length; start += CHUNK_ROWS) {
        const slice = rows.slice(start, start + CHUNK_ROWS);
        const chunk = DuckDBDataChunk.create(types, slice.length);
        chunk.setRows(slice);
        appender.appendDataChunk(chunk);
      }
    } finally {
      appender.closeSync();
    }
    this.#heldRows += rows.length;
    for (const row of rows) for (const text of row) this.#heldCharacters += text?.length ?? 0;
    if (this.#heldRows >= PART_ROWS || this.#heldCharacters >= PART_CHARACTERS) await this.#writePart();
  }

  async #writePart(): Promise<void> {
    const values = this.#columns.map(({ name, type, value }, at) => {
      const text = `c${at}`;
      const sql = type === 'VARCHAR' && value === undefined ? text : (value?.(text) ?? `CAST(${text} AS ${type})`);
      return `${sql} AS ${quoteIdentifier(name)}`;
    });
    const path = `${this.#folder}part-${this.#parts}.parquet`;
    const where = this.#condition === undefined ? '' : ` WHERE ${this.#condition.sql}`;
    const select = `SELECT * FROM (SELECT ${values.join(', ')} FROM ${TABLE})${where}`;
    await this.#session.run(`COPY (${select}) TO ${quoteLiteral(path)} (FORMAT parquet)`, this.#condition?.parameters);
    this.#parts += 1;
    await this.#recreate();
  }

  async #recreate(): Promise<void> {
    const columns = this.#columns.map((_, at) => `c${at} VARCHAR`);
    await this.#session.run(`CREATE OR REPLACE TEMP TABLE ${TABLE} (${columns.join(', ')})`);
    this.#heldRows = 0;
    this.#heldCharacters = 0;
  }
}

function refuseEqualNames(columns: readonly TextColumn[]): void {
  if (columns.length === 0)
    throw new EngineError('ValidationError', 'the source has no columns; expected at least one');
  const seen = new Set<string>();
  for (const { name } of columns) {
    if (seen.has(name.toLowerCase())) {
      throw new EngineError(
        'ValidationError',
        `two columns of the source are named ${name}; name them apart in a query`,
      );
    }
    seen.add(name.toLowerCase());
  }
}
