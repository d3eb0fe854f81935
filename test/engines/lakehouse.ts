/**
 * A place where the service writes Iceberg tables, and beside it what DuckDB says that must be in them.
 *
 * Each table has a model: a plain DuckDB table to which every load is applied once more, in SQL written for the test.
 * After each load the model's rows are kept as a Parquet file, which pyiceberg and Spark compare with what they read.
 */
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { expect } from 'vitest';
import type { Dataset, EngineContext } from '../../src/engines/dataset.ts';
import { DuckDbEngine } from '../../src/engines/duckdb/duckdb-engine.ts';
import type { IcebergCatalog } from '../../src/engines/iceberg/catalog.ts';
import { type IcebergLoadResult, loadToIceberg } from '../../src/engines/iceberg/load-to-iceberg.ts';
import { SqlCatalog } from '../../src/engines/iceberg/sql-catalog.ts';
import type { Interval } from '../../src/engines/sources/interval.ts';
import { Judge, READERS, type Lake, type Reader } from './judge.ts';
import { replacedRowsSql } from './replaced-rows.ts';

export interface Load {
  /** A SELECT that gives the rows. */
  sql: string;
  mode?: 'append' | 'overwrite' | 'overwrite_partition' | 'merge';
  mergeKeys?: string[];
  partitionBy?: string[];
  schemaEvolution?: 'none' | 'add_columns';
  /** Whatever the mode: exactly its rows are replaced. */
  interval?: Interval;
  /** A fresh one unless given. */
  loadName?: string;
}

/** The state of a table after a load that made a snapshot. */
interface Expected {
  snapshotId: string;
  loadName: string;
  parquet: string;
}

/** A condition in each reader's language. */
export interface Condition {
  /** For DuckDB, and for Spark unless `spark` is given. */
  sql: string;
  spark?: string;
  /** What of it Spark hands to Iceberg, when that is not all. */
  pushed?: string;
  /** Absent where pyiceberg cannot say it. */
  pyiceberg?: string;
}

function sqlCatalog({ catalogFile, warehouse }: Lake): IcebergCatalog {
  return new SqlCatalog({ file: catalogFile, name: 'matih', warehouse });
}

export class Lakehouse {
  readonly folder: string;
  readonly judge: Judge;
  readonly catalog: IcebergCatalog;
  readonly duckdb: DuckDbEngine;
  readonly model: DuckDBConnection;
  #count = 0;

  /** @param openCatalog what the service writes through; the judges read the SQLite file behind it */
  static async open(
    openCatalog: (lake: Lake) => IcebergCatalog | Promise<IcebergCatalog> = sqlCatalog,
  ): Promise<Lakehouse> {
    const folder = await mkdtemp(path.join(tmpdir(), 'pipeline-service-lakehouse-'));
    const lake = { catalogFile: path.join(folder, 'catalog.db'), warehouse: path.join(folder, 'warehouse') };
    await mkdir(lake.warehouse);
    const catalog = await openCatalog(lake);
    const model = await (await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '512MB' })).connect();
    await model.run(`SET TimeZone = 'UTC'`);
    return new Lakehouse(folder, lake, catalog, model);
  }

  private constructor(folder: string, lake: Lake, catalog: IcebergCatalog, model: DuckDBConnection) {
    this.folder = folder;
    this.model = model;
    this.judge = new Judge(lake);
    this.catalog = catalog;
    this.duckdb = new DuckDbEngine({
      memoryLimitBytes: 512 * 1024 * 1024,
      threads: 2,
      spillFolder: path.join(folder, 'spill'),
    });
  }

  async close(): Promise<void> {
    await this.catalog.close();
    await this.duckdb.close();
    this.model.closeSync();
    await rm(this.folder, { recursive: true, maxRetries: 20, retryDelay: 200, force: true });
  }

  table(name: string): ModelledTable {
    return new ModelledTable(this, name);
  }

  /** A number that nobody else in this place has. */
  next(): number {
    this.#count += 1;
    return this.#count;
  }

  /** Writes a query's rows as a dataset in staging. */
  async dataset(sql: string): Promise<Dataset> {
    const folder = path.join(this.folder, `staging-${this.next()}/`);
    await mkdir(folder);
    const file = path.join(folder, 'part-0.parquet');
    await this.model.run(`COPY (${sql}) TO '${file}' (FORMAT parquet)`);
    const reader = await this.model.runAndReadAll(`SELECT count(*)::INTEGER FROM '${file}'`);
    const rows = Number(reader.getRows()[0]?.[0]);
    return { uri: pathToFileURL(folder).href, rows, bytes: (await stat(file)).size };
  }

  /** Writes a query's rows as a Parquet file to compare with. */
  async parquet(sql: string): Promise<string> {
    const file = path.join(this.folder, `expected-${this.next()}.parquet`);
    await this.model.run(`COPY (${sql}) TO '${file}' (FORMAT parquet)`);
    return file;
  }
}

export class ModelledTable {
  readonly name: string;
  /** What was expected after each load of ours, oldest first. */
  readonly loads: Expected[] = [];
  readonly #lakehouse: Lakehouse;
  #partitionBy: string[] = [];

  constructor(lakehouse: Lakehouse, name: string) {
    this.#lakehouse = lakehouse;
    this.name = name;
  }

  get judge(): Judge {
    return this.#lakehouse.judge;
  }

  /** The model's name in DuckDB. */
  get model(): string {
    return `"${this.name}"`;
  }

  /** Loads rows as the service does, then into the model. */
  async load(load: Load): Promise<IcebergLoadResult> {
    if (load.partitionBy !== undefined) this.#partitionBy = load.partitionBy;
    const loadName = load.loadName ?? `run-${this.#lakehouse.next()}/out`;
    const result = await this.write({ ...load, loadName });
    if (!result.alreadyCommitted) {
      await this.apply(load);
      if (result.snapshotId !== null) {
        this.loads.push({ snapshotId: result.snapshotId, loadName, parquet: await this.expected() });
      }
    }
    return result;
  }

  /** Loads rows as the service does and leaves the model alone. */
  async write(load: Load): Promise<IcebergLoadResult> {
    const { catalog, duckdb } = this.#lakehouse;
    const context: EngineContext = {
      signal: AbortSignal.timeout(60_000),
      log: () => undefined,
      progress: () => undefined,
    };
    return loadToIceberg(
      {
        loadName: load.loadName ?? `run-${this.#lakehouse.next()}/out`,
        table: this.name,
        mode: load.mode ?? 'append',
        mergeKeys: load.mergeKeys ?? [],
        partitionBy: this.#partitionBy,
        schemaEvolution: load.schemaEvolution ?? 'none',
        interval: load.interval,
        input: await this.#lakehouse.dataset(load.sql),
      },
      { catalog, duckdb },
      context,
    );
  }

  /** What a load does to the rows, in plain SQL. */
  async apply(load: Load): Promise<void> {
    const { model } = this.#lakehouse;
    await model.run(`CREATE OR REPLACE TEMP TABLE input AS ${load.sql}`);
    await model.run(`CREATE TABLE IF NOT EXISTS ${this.model} AS FROM input LIMIT 0`);
    const replaced = await replacedRowsSql(load, this.#partitionBy, this.#lakehouse, this);
    if (replaced !== null) await model.run(`DELETE FROM ${this.model} AS t WHERE ${replaced}`);
    await model.run(`INSERT INTO ${this.model} BY NAME FROM input`);
  }

  /** Runs SQL on the model, for what other engines do to the table. */
  async alterModel(sql: string): Promise<void> {
    await this.#lakehouse.model.run(sql);
  }

  /** The model's rows, or those that a condition leaves, as a Parquet file. */
  expected(where = 'true'): Promise<string> {
    return this.#lakehouse.parquet(`FROM ${this.model} AS t WHERE ${where}`);
  }

  /** Both readers find exactly the model's rows, and the metadata is sound. `ours` are the snapshots that we made. */
  async expectSound(ours = this.loads.map((load) => load.snapshotId)): Promise<void> {
    const expected = await this.expected();
    for (const reader of READERS) {
      const { difference } = await this.judge.rows(reader, { table: this.name, expected });
      expect(difference, `${this.name} as ${reader} reads it`).toBeNull();
    }
    await this.expectAudited(ours);
  }

  /** Everything in the metadata that can be recomputed is right. */
  async expectAudited(ours = this.loads.map((load) => load.snapshotId)): Promise<void> {
    expect(await this.judge.audit(this.name, ours), `the metadata of ${this.name}`).toEqual([]);
  }

  /** Each reader finds exactly the rows that DuckDB's condition leaves. How many files each plans to open. */
  async expectFiltered(condition: Condition): Promise<Partial<Record<Reader, number>>> {
    const expected = await this.expected(condition.sql);
    const planned: Partial<Record<Reader, number>> = {};
    for (const reader of READERS) {
      const where = reader === 'pyiceberg' ? condition.pyiceberg : (condition.spark ?? condition.sql);
      if (where === undefined) continue;
      const answer = await this.judge.rows(reader, { table: this.name, expected, where, pushed: condition.pushed });
      expect(answer.difference, `${this.name} where ${where}, as ${reader} reads it`).toBeNull();
      planned[reader] = answer.plannedFiles;
    }
    return planned;
  }

  /** Each snapshot that a load of ours made still shows what was there after it. */
  async expectTimeTravel(readers = READERS): Promise<void> {
    for (const { snapshotId, loadName, parquet } of this.loads) {
      for (const reader of readers) {
        const answer = await this.judge.rows(reader, { table: this.name, expected: parquet, snapshotId });
        expect(answer.difference, `${this.name} after ${loadName}, as ${reader} reads it`).toBeNull();
      }
    }
  }
}
