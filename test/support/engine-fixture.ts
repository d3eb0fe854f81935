/** A DuckDB engine and a folder of its own, for tests of what works with files and data. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Dataset, EngineContext } from '../../src/engines/dataset.ts';
import { DuckDbEngine } from '../../src/engines/duckdb/duckdb-engine.ts';
import { measureDataset } from '../../src/engines/duckdb/measure-dataset.ts';
import { quoteLiteral } from '../../src/engines/duckdb/quote.ts';

export class EngineFixture {
  readonly folder: string;
  readonly engine: DuckDbEngine;
  /** What the step would have logged. */
  readonly logged: string[] = [];
  readonly context: EngineContext = this.contextOf(new AbortController().signal);
  #outputs = 0;

  private constructor(folder: string) {
    this.folder = folder;
    this.engine = new DuckDbEngine({
      memoryLimitBytes: 512 * 1024 * 1024,
      threads: 2,
      spillFolder: join(folder, 'spill'),
    });
  }

  static async create(): Promise<EngineFixture> {
    return new EngineFixture(await mkdtemp(join(tmpdir(), 'pipeline-service-engine-')));
  }

  contextOf(signal: AbortSignal): EngineContext {
    return { signal, log: (level, message) => this.logged.push(`${level}: ${message}`), progress: () => undefined };
  }

  /** A new folder, as an attempt gets one in staging. */
  async outputFolder(): Promise<string> {
    this.#outputs += 1;
    const path = join(this.folder, `output-${this.#outputs}/`);
    await mkdir(path);
    return path;
  }

  /** What a SELECT gives, as a dataset in staging. */
  async dataset(select: string): Promise<Dataset> {
    const folder = await this.outputFolder();
    return this.engine.withSession(
      { signal: this.context.signal, readable: [folder], writable: [folder] },
      async (session) => {
        await session.run(`COPY (${select}) TO ${quoteLiteral(`${folder}part-0.parquet`)} (FORMAT parquet)`);
        return measureDataset(session, folder);
      },
    );
  }

  /** Rows of a dataset as plain JSON; `sql` reads it as `data`. */
  async rows(dataset: Dataset, sql = 'SELECT * FROM data'): Promise<Record<string, unknown>[]> {
    return this.engine.withSession({ signal: this.context.signal, inputs: { data: dataset } }, (session) =>
      session.rowsJson(sql),
    );
  }

  /** `{name: type}` of a dataset's columns. */
  async types(dataset: Dataset): Promise<Record<string, string>> {
    const described = await this.rows(dataset, 'DESCRIBE SELECT * FROM data');
    return Object.fromEntries(described.map((row) => [String(row['column_name']), String(row['column_type'])]));
  }

  async dispose(): Promise<void> {
    await this.engine.close();
    await rm(this.folder, { recursive: true, maxRetries: 20, retryDelay: 200, force: true });
  }
}
