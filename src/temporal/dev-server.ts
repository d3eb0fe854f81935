/**
 * The embedded Temporal: a dev server of our own on loopback, its state in DATA_DIR, or in memory for tests. It is
 * started again, on the same port, when it ends while we live; it ends with us.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { StartupError } from '../startup-error.ts';
import { startDevServerProcess, type DevServerPlace, type DevServerProcess } from './dev-server-process.ts';
import { freePorts } from './free-ports.ts';
import { endOrphanedServers } from './orphaned-server.ts';

/** A port that was free may be taken by somebody else before the server has it. */
const START_ATTEMPTS = 4;
const FIRST_RESTART_WAIT_MS = 250;
const LONGEST_RESTART_WAIT_MS = 10_000;

export interface DevServerOptions {
  /** The `temporal` command. */
  binary: string;
  /** Made if need be; at least one. */
  namespaces: readonly string[];
  logger: Logger;
  /** The real path of a folder whose lock this process holds; undefined: everything is forgotten at the end, and no UI. */
  dataDir: string | undefined;
}

export interface DevServer {
  /** host:port */
  address: string;
  /** Undefined: no UI. */
  uiUrl: string | undefined;
  /** Idempotent. */
  stop(): Promise<void>;
}

/** @throws StartupError when the server does not start, with what it wrote */
export async function startDevServer({ binary, namespaces, logger, dataDir }: DevServerOptions): Promise<DevServer> {
  const files = dataDir === undefined ? undefined : await prepareFiles(dataDir, logger);
  const { place, first } = await startSomewhere({ binary, namespaces, databaseFile: files?.database }, files, logger);
  if (files !== undefined) {
    await writeFile(files.ports, JSON.stringify({ port: place.port, uiPort: place.uiPort }));
    await rm(files.unfinished, { force: true });
  }
  const stop = keepRunning(place, first, logger);
  const uiUrl = place.uiPort === undefined ? undefined : `http://127.0.0.1:${place.uiPort}`;
  return { address: `127.0.0.1:${place.port}`, uiUrl, stop };
}

interface Files {
  database: string;
  /** Remembers the ports, so that links into the UI stay good. */
  ports: string;
  /** Exists while a new database has not served yet: a server that was killed then leaves a part of its tables, and refuses them later. */
  unfinished: string;
}

async function prepareFiles(dataDir: string, logger: Logger): Promise<Files> {
  const folder = join(dataDir, 'temporal');
  const database = join(folder, 'temporal.db');
  const files = { database, ports: join(folder, 'ports.json'), unfinished: `${database}.unfinished` };
  await mkdir(dirname(database), { recursive: true });
  await endOrphanedServers(database, logger);
  if (existsSync(files.unfinished)) {
    for (const suffix of ['', '-journal', '-wal', '-shm']) await rm(database + suffix, { force: true });
  }
  if (!existsSync(database)) await writeFile(files.unfinished, '');
  return files;
}

async function startSomewhere(
  what: Pick<DevServerPlace, 'binary' | 'namespaces' | 'databaseFile'>,
  files: Files | undefined,
  logger: Logger,
): Promise<{ place: DevServerPlace; first: DevServerProcess }> {
  const wish = files === undefined ? {} : await readPorts(files.ports);
  let failure: unknown;
  for (let attempt = 0; attempt < START_ATTEMPTS; attempt += 1) {
    const [port = 0, uiPort] = await freePorts(files === undefined ? [undefined] : [wish.port, wish.uiPort]);
    const place = { ...what, port, uiPort };
    try {
      return { place, first: await startDevServerProcess(place, logger) };
    } catch (error) {
      failure = error;
      logger.warn({ error }, 'The Temporal dev server did not start');
    }
  }
  throw new StartupError(messageOf(failure), { cause: failure });
}

async function readPorts(file: string): Promise<{ port?: number; uiPort?: number }> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as { port?: number; uiPort?: number };
  } catch {
    return {};
  }
}

/** Starts the server again whenever it ends. @returns what stops that, and the server */
function keepRunning(place: DevServerPlace, first: DevServerProcess, logger: Logger): () => Promise<void> {
  const stopping = new AbortController();
  const watch = async (server: DevServerProcess) => {
    for (let running = server; ;) {
      const how = await Promise.race([running.ended, once(stopping.signal)]);
      if (stopping.signal.aborted || how === undefined) {
        await running.stop();
        return;
      }
      logger.error({ server: running.pid, lines: how }, 'The Temporal dev server ended; starting it again');
      const next = await startAgain(place, stopping.signal, logger);
      if (next === undefined) return;
      running = next;
    }
  };
  const watching = watch(first);
  return () => {
    stopping.abort();
    return watching;
  };
}

async function startAgain(
  place: DevServerPlace,
  stopping: AbortSignal,
  logger: Logger,
): Promise<DevServerProcess | undefined> {
  for (let waitMs = FIRST_RESTART_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_RESTART_WAIT_MS)) {
    await sleep(waitMs, undefined, { signal: stopping }).catch(() => undefined);
    if (stopping.aborted) return undefined;
    try {
      return await startDevServerProcess(place, logger);
    } catch (error) {
      logger.error({ error }, 'The Temporal dev server did not start again');
    }
  }
}

function once(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => {
      resolve(undefined);
    });
  });
}
