/** What the tests ask pyiceberg and Spark; `judge/questions.py` answers. */
import { inject } from 'vitest';

export type Reader = 'pyiceberg' | 'spark';
export const READERS: readonly Reader[] = ['pyiceberg', 'spark'];

/** The SQLite catalog file and the warehouse folder, both absolute. */
export interface Lake {
  catalogFile: string;
  warehouse: string;
  /** pyiceberg's properties for tables on S3. */
  s3?: Record<string, string>;
}

export interface RowsQuestion {
  table: string;
  /** The Parquet file. */
  expected: string;
  snapshotId?: string | undefined;
  /** A pyiceberg expression in Python, or Spark SQL. */
  where?: string | undefined;
  /** What of it Spark hands to Iceberg, when that is not all. */
  pushed?: string | undefined;
}

export interface RowsAnswer {
  /** In words; null when the reader found exactly the expected rows. */
  difference: string | null;
  rows: number;
  /** Data files that the reader's planner would open. */
  plannedFiles: number;
}

export interface SnapshotAnswer {
  snapshotId: string;
  parentId: string | null;
  operation: string;
  summary: Record<string, string>;
  /** Whether the snapshot log says that it was current once. */
  logged: boolean;
}

export class Judge {
  readonly #lake: Lake;
  readonly #url = inject('judgeUrl');

  constructor(lake: Lake) {
    this.#lake = lake;
  }

  /** Compares a table's rows with a Parquet file. */
  rows(reader: Reader, question: RowsQuestion): Promise<RowsAnswer> {
    return this.#ask('rows', { reader, ...question });
  }

  /** `[name, type, required]` of each column. */
  schema(reader: Reader, table: string): Promise<[string, string, boolean][]> {
    return this.#ask('schema', { reader, table });
  }

  /** What does not hold in the table's metadata; see `judge/audit.py`. */
  audit(table: string, ours: string[]): Promise<string[]> {
    return this.#ask('audit', { table, ours });
  }

  history(table: string): Promise<SnapshotAnswer[]> {
    return this.#ask('history', { table });
  }

  properties(table: string): Promise<Record<string, string>> {
    return this.#ask('properties', { table });
  }

  /** `[partition, rows, files]` of each partition. */
  partitions(table: string): Promise<[Record<string, string>, number, number][]> {
    return this.#ask('partitions', { table });
  }

  /** pyiceberg's transform of a column of a Parquet file, row by row. */
  transformed(table: string, parquet: string, column: string, transform: string): Promise<(number | null)[]> {
    return this.#ask('transformed', { table, parquet, column, transform });
  }

  /** Names of the tables in a namespace. */
  listed(reader: Reader, namespace: string): Promise<string[]> {
    return this.#ask('listed', { reader, namespace });
  }

  /** Rows of each of the reader's metadata tables, all of whose columns it reads for that. */
  metadataTables(reader: Reader, table: string): Promise<Record<string, number>> {
    return this.#ask('metadata_tables', { reader, table });
  }

  /** Parquet files in the table's folder that no snapshot knows. */
  unreferenced(table: string): Promise<string[]> {
    return this.#ask('unreferenced', { table });
  }

  /** Rows of each value of a column. */
  counts(table: string, column: string): Promise<Record<string, number>> {
    return this.#ask('counts', { table, column });
  }

  /** Runs a statement in Spark; values come as text. */
  sql(statement: string): Promise<(string | null)[][]> {
    return this.#ask('sql', { statement });
  }

  /** pyiceberg appends a Parquet file's rows. */
  async append(table: string, parquet: string): Promise<void> {
    await this.#ask('append', { table, parquet });
  }

  /** pyiceberg deletes rows by rewriting their files. */
  async delete(table: string, where: string): Promise<void> {
    await this.#ask('delete', { table, where });
  }

  async #ask<T>(question: string, asked: Record<string, unknown>): Promise<T> {
    const response = await fetch(`${this.#url}/${question}`, {
      method: 'POST',
      body: JSON.stringify({ lake: this.#lake, ...asked }),
    });
    const answer = (await response.json()) as T | { error: string; trace: string };
    if (!response.ok) throw new Error(`the judge failed at ${question}: ${JSON.stringify(answer).slice(0, 4_000)}`);
    return answer as T;
  }
}
