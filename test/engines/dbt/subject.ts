import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import type { PostgresServer } from '../../support/postgres-server.ts';
import type { Service } from '../../support/service.ts';

/** The whole service with a real dbt, and the PostgreSQL that dbt works in. */
export interface Subject {
  service: Service;
  postgres: PostgresServer;
  /** Absolute path of the real command. */
  dbt: string;
  /** Absolute; for files of the tests. */
  folder: string;
  environment: Record<string, string>;
}

export const PROJECT = join(import.meta.dirname, 'project');

/** A profile that needs nothing but a file. */
export function duckdb({ folder }: Subject): object {
  return { type: 'duckdb', path: join(folder, 'warehouse.duckdb') };
}

export function warehouse({ postgres }: Subject, { secret = 'WAREHOUSE', port = portOf(postgres) } = {}): object {
  const login = { user: 'postgres', password: `\${secret:${secret}}`, dbname: 'postgres', schema: 'shop' };
  return { type: 'postgres', host: '127.0.0.1', port, threads: 1, connect_timeout: 2, ...login };
}

export function portOf({ url }: PostgresServer): number {
  return Number(new URL(url).port);
}

export interface Pipeline {
  name: string;
  /** What the sink writes to `<folder>/<name>.csv`; what dbt read when it leaves nothing at `output`. */
  sink?: 'orders' | 'daily';
  attempts?: number;
}

/** Runs a pipeline: orders from a file, a dbt step, a file. */
export async function startRun(
  { service, folder }: Subject,
  { name, sink = 'orders', attempts = 2 }: Pipeline,
  transformation: object,
) {
  await service.register({
    name,
    version: '1',
    definition: {
      sources: { orders: { type: 'file', path: join(folder, 'orders.csv'), format: 'csv' } },
      transformations: [{ name: 'daily', engine: 'dbt', project: PROJECT, ...transformation }],
      sinks: { out: { type: 'file', from: sink, path: join(folder, `${name}.csv`), format: 'csv' } },
      orchestration: {
        retry: { run_dbt: { initial_interval: '200ms', max_interval: '1s', max_attempts: attempts } },
      },
    },
  });
  return service.execute(name);
}

interface ShownStep {
  step: string;
  status: string;
  attempts: number;
  error?: { type: string; message: string };
}

/** The dbt step as `GET …/steps` shows it. */
export async function dbtStep({ service }: Subject, executionId: string): Promise<ShownStep | undefined> {
  const { body } = await service.call('GET', `/v1/pipelines/executions/${executionId}/steps`);
  return (body['data'] as ShownStep[]).find(({ step }) => step === 'transform:daily');
}

export async function logOf({ service }: Subject, executionId: string): Promise<string> {
  const { body } = await service.call('GET', `/v1/pipelines/executions/${executionId}/steps/transform:daily/logs`);
  return JSON.stringify(body);
}

export async function query({ postgres }: Subject, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Connections to the database in which the model `slow` is just being built. */
export async function building(subject: Subject): Promise<number> {
  const sql = "select 1 from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()";
  return (await query(subject, sql)).length;
}

/** Of dbt's processes, whoever's children they are now. */
export async function dbtProcesses({ service }: Subject): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid,args']);
  return stdout.split('\n').filter((line) => line.includes(service.dataDir) && line.includes('--profiles-dir'));
}

/** What is there of profiles, which hold secrets. */
export async function privateFolders({ service }: Subject): Promise<string[]> {
  const work = join(service.dataDir, 'dbt/work');
  const owners = (await readdir(work, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  return (await Promise.all(owners.map(({ name }) => readdir(join(work, name))))).flat();
}
