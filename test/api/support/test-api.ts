/** The API in process: port 0, real fetch, a real store on PGlite in memory, real validation; runs are a stand-in. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createApp, type AppDependencies } from '../../../src/api/app.ts';
import { ServiceError } from '../../../src/errors.ts';
import { createLogger } from '../../../src/logger.ts';
import { createMetrics } from '../../../src/metrics/metrics.ts';
import { BUILT_IN_ONLY } from '../../../src/pipelines/engine-availability.ts';
import { Backfills } from '../../../src/pipelines/backfills.ts';
import { Migrations } from '../../../src/pipelines/migrations.ts';
import { PipelineRegistry } from '../../../src/pipelines/registry.ts';
import { TableMaintenance } from '../../../src/pipelines/table-maintenance.ts';
import { openStore, type Store } from '../../../src/store/store.ts';
import { InMemoryRuns } from './in-memory-runs.ts';

export const OPEN: AppDependencies['auth'] = {
  jwksUrl: undefined,
  jwtSecret: undefined,
  issuer: undefined,
  audience: undefined,
};

interface TestAnswer {
  status: number;
  headers: Headers;
  /** Parsed when it is JSON, else the text. */
  body: unknown;
}

interface Call {
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is. */
  text?: string;
  headers?: Record<string, string>;
}

export interface TestApi {
  url: string;
  call: (method: string, path: string, call?: Call) => Promise<TestAnswer>;
  runs: InMemoryRuns;
  registry: PipelineRegistry;
  store: Store;
  /** What was logged, a line each. */
  logged: Record<string, unknown>[];
  close: () => Promise<void>;
}

/** @param changes a store among them stays the caller's to close */
export async function startApi(changes: Partial<AppDependencies> = {}): Promise<TestApi> {
  const store = changes.store ?? (await openStore({ folder: 'memory://' }));
  const registry = new PipelineRegistry(store, {
    engines: BUILT_IN_ONLY,
    roots: { roots: 'any', base: process.cwd() },
  });
  const runs = new InMemoryRuns(registry);
  const backfills = new Backfills({ store, waker: { wake: () => Promise.resolve() } });
  const migrations = new Migrations({
    store,
    temporal: { call: () => Promise.reject(new ServiceError('SERVICE_UNAVAILABLE', 'Temporal is no part of this')) },
    waker: { wake: () => Promise.resolve() },
  });
  const maintenance = new TableMaintenance({
    store,
    maintenanceLauncher: { deliver: () => Promise.resolve(), cancel: () => Promise.resolve() },
    sparkMissing: 'spark is not configured',
  });
  const metrics = createMetrics();
  const logged: Record<string, unknown>[] = [];
  const logger = createLogger('debug', {
    write: (line) => void logged.push(JSON.parse(line) as Record<string, unknown>),
  });
  const app = createApp({
    auth: OPEN,
    store,
    registry,
    runs,
    backfills,
    migrations,
    maintenance,
    metrics,
    logger,
    metricsText: () => metrics.registry.metrics(),
    readiness: () => Promise.resolve({ database: { ok: true } }),
    ...changes,
  });
  const { promise: listening, resolve } = Promise.withResolvers<undefined>();
  const server: Server = app.listen(0, '127.0.0.1', () => {
    resolve(undefined);
  });
  await listening;
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    call: (method, path, call) => request(url, method, path, call),
    runs,
    registry,
    store,
    logged,
    close: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
      if (changes.store === undefined) await store.close();
    },
  };
}

async function request(
  url: string,
  method: string,
  path: string,
  { json, text, headers }: Call = {},
): Promise<TestAnswer> {
  const body = json === undefined ? text : JSON.stringify(json);
  const response = await fetch(url + path, {
    method,
    headers: { ...(json !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body }),
    redirect: 'manual',
  });
  const answered = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
  return {
    status: response.status,
    headers: response.headers,
    body: isJson && answered !== '' ? (JSON.parse(answered) as unknown) : answered,
  };
}

/** A small valid document; `changes` go over its top level. */
export function birds(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    name: 'birds',
    version: '1.0.0',
    description: 'bird strikes by day',
    tags: ['wildlife'],
    definition: {
      sources: { birds: { type: 'file', path: 'birds.csv', format: 'csv' } },
      transformations: [{ name: 'by_day', engine: 'sql', sql: 'select day, count(*) as n from birds group by all' }],
      sinks: { out: { type: 'iceberg', from: 'by_day', table: 'wildlife.strikes' } },
    },
    ...changes,
  };
}
