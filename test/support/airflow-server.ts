/**
 * A real Airflow 3, started as a reader of the example starts it (examples/airflow/start-airflow.sh): scheduler, DAG
 * processor, triggerer and API on a free loopback port, with a password, in a folder and a process group of its own.
 *
 * Its database is a PostgreSQL, as where Airflow works for others: on SQLite, the example's, the scheduler ends for good
 * when another part of Airflow holds the file for five seconds, as it may on a busy machine.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../../src/temporal/free-ports.ts';
import { pinnedEnvironment } from './pinned-environment.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';

const EXAMPLE = path.join(import.meta.dirname, '../../examples/airflow');
const READY_WITHIN_MS = 300_000;

export interface AirflowServerOptions {
  /** Absolute; folders of DAGs, each file named after the DAG in it. */
  dagFolders: string[];
  /** Further settings, `AIRFLOW__SECTION__KEY`. */
  settings?: Record<string, string>;
}

export interface SeenDagRun {
  dag_run_id: string;
  state: string;
  note: string | null;
  conf: Record<string, unknown>;
}

/** The folder of its environment. */
export function installAirflow(): Promise<string> {
  return pinnedEnvironment({
    name: 'airflow',
    requirements: path.join(EXAMPLE, 'requirements.txt'),
    check: ['python', '-c', 'import pyarrow'],
  });
}

export class AirflowServer implements AsyncDisposable {
  readonly url: string;
  readonly username = 'service';
  readonly password: string;
  /** May look and change nothing. */
  readonly viewer = 'viewer';
  readonly #child: ChildProcess;
  readonly #home: string;
  readonly #database: PostgresServer;

  /** Resolves when its scheduler runs and it knows all the DAGs. */
  static async start({ dagFolders, settings = {} }: AirflowServerOptions): Promise<AirflowServer> {
    const environment = await installAirflow();
    const database = await startPostgres();
    const home = await mkdtemp(path.join(tmpdir(), 'pipeline-service-airflow-'));
    const dags = path.join(home, 'dags');
    for (const folder of dagFolders) await cp(folder, dags, { recursive: true });
    const [port = 0] = await freePorts([undefined]);
    const password = randomBytes(12).toString('hex');
    const log = await open(path.join(home, 'standalone.log'), 'w');
    const child = spawn(path.join(EXAMPLE, 'start-airflow.sh'), [home], {
      // Its parts are children that outlive a parent that is ended alone.
      detached: true,
      cwd: home,
      env: {
        PATH: process.env['PATH'],
        HOME: home,
        NO_PROXY: '*',
        AIRFLOW_ENVIRONMENT: environment,
        AIRFLOW_PASSWORD: password,
        AIRFLOW__API__PORT: String(port),
        AIRFLOW__CORE__DAGS_FOLDER: dags,
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN: database.url.replace(/^postgres:/, 'postgresql+psycopg2:'),
        ...settings,
      },
      stdio: ['ignore', log.fd, log.fd],
    });
    await log.close();
    const server = new AirflowServer(child, { port, password, home, database });
    try {
      await server.#ready(dags);
      return server;
    } catch (error) {
      const said = (await readFile(path.join(home, 'standalone.log'), 'utf8')).slice(-4_000);
      await server[Symbol.asyncDispose]();
      throw new Error(`Airflow did not start:\n${said}`, { cause: error });
    }
  }

  private constructor(
    child: ChildProcess,
    at: { port: number; password: string; home: string; database: PostgresServer },
  ) {
    this.url = `http://127.0.0.1:${at.port}`;
    this.password = at.password;
    this.#home = at.home;
    this.#database = at.database;
    this.#child = child;
    process.once('exit', this.#endGroup);
  }

  /** What Airflow itself says, past the service. */
  async call(method: string, apiPath: string, body?: object): Promise<{ status: number; body: unknown }> {
    const headers = { 'content-type': 'application/json' };
    const credentials = JSON.stringify({ username: this.username, password: this.password });
    const answer = await fetch(`${this.url}/auth/token`, { method: 'POST', headers, body: credentials });
    const { access_token: token } = (await answer.json()) as { access_token: string };
    const response = await fetch(`${this.url}/api/v2${apiPath}`, {
      method,
      headers: { ...headers, authorization: `Bearer ${token}` },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  }

  /** All runs of a DAG whose conf is about that execution, the oldest first. */
  async runsOf(dagId: string, executionId: string): Promise<SeenDagRun[]> {
    const { body } = await this.call('GET', `/dags/${dagId}/dagRuns?limit=100`);
    return (body as { dag_runs: SeenDagRun[] }).dag_runs
      .filter(({ conf }) => (conf['pipeline'] as { executionId?: string } | undefined)?.executionId === executionId)
      .sort((a, b) => (a.dag_run_id < b.dag_run_id ? -1 : 1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = this.#child.exitCode === null && this.#child.signalCode === null ? once(this.#child, 'exit') : [];
    this.#endGroup();
    await ended;
    process.off('exit', this.#endGroup);
    await this.#database.stop();
    await rm(this.#home, { recursive: true, force: true, maxRetries: 5 });
  }

  /** It has nothing to save, and asked kindly it may take a quarter of a minute. */
  readonly #endGroup = (): void => {
    try {
      process.kill(-(this.#child.pid ?? 0), 'SIGKILL');
    } catch {
      // It has ended.
    }
  };

  async #ready(dagsFolder: string): Promise<void> {
    const files = (await readdir(dagsFolder)).filter((name) => name.endsWith('.py'));
    const dagIds = files.map((name) => path.basename(name, '.py'));
    const deadlineMs = performance.now() + READY_WITHIN_MS;
    while (!(await this.#knows(dagIds).catch(() => false))) {
      if (this.#child.exitCode !== null) throw new Error(`it ended with ${this.#child.exitCode}`);
      if (performance.now() > deadlineMs) throw new Error(`not ready within ${READY_WITHIN_MS / 1000} s`);
      await sleep(500);
    }
  }

  async #knows(dagIds: string[]): Promise<boolean> {
    const health = (await (await fetch(`${this.url}/api/v2/monitor/health`)).json()) as {
      scheduler?: { status: string };
    };
    if (health.scheduler?.status !== 'healthy') return false;
    const { body } = await this.call('GET', '/dags?limit=100');
    const known = (body as { dags: { dag_id: string }[] }).dags.map(({ dag_id: dagId }) => dagId);
    return dagIds.every((dagId) => known.includes(dagId));
  }
}
