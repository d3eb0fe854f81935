/**
 * A real standalone Spark (test/engines/requirements.txt): a master with its REST submission server and one worker, on
 * free loopback ports, each in a process group of its own, with Java 17. The master keeps its state in a file, so that
 * it knows the working drivers again when it comes back; those that ended it forgets.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePorts } from '../../src/temporal/free-ports.ts';
import { preparePythonEnvironment } from './python-environment.ts';
import { QUICK_JAVA } from './quick-java.ts';

const READY_WITHIN_MS = 120_000;
const DRIVER_WITHIN_MS = 60_000;

/** What small applications need. The test machine has two cores: one for the driver, one for its executor. */
export const SMALL_JOB: Readonly<Record<string, string>> = {
  'spark.driver.memory': '512m',
  'spark.executor.memory': '512m',
  'spark.cores.max': '1',
  'spark.ui.enabled': 'false',
  'spark.sql.shuffle.partitions': '1',
};

export interface SeenDriver {
  id: string;
  state: string;
}

type Daemon = 'master' | 'worker';

export class SparkStandalone implements AsyncDisposable {
  /** Of the REST submission server: SPARK_REST_URL. */
  readonly url: string;
  readonly #folder: string;
  readonly #ports: { rest: number; master: number; masterUi: number; workerUi: number };
  readonly #settings: readonly string[];
  readonly #cores: number;
  #environment: NodeJS.ProcessEnv = {};
  readonly #daemons = new Map<Daemon, ChildProcess>();

  /**
   * Resolves when the master has the worker, unless it is to have none.
   *
   * @param settings further properties of the master, `name=value`
   * @param cores of the worker, as Spark counts them: each driver takes one for as long as it lives
   * @param environment of the daemons, which their drivers and executors inherit
   */
  static async start(
    settings: readonly string[] = [],
    { worker = true, cores = 2, environment = {} } = {},
  ): Promise<SparkStandalone> {
    const { python } = await preparePythonEnvironment((line) => process.stderr.write(`${line}\n`));
    const [rest = 0, master = 0, masterUi = 0, workerUi = 0] = await freePorts([0, 0, 0, 0].map(() => undefined));
    const folder = await mkdtemp(path.join(tmpdir(), 'pipeline-service-spark-'));
    const spark = new SparkStandalone(folder, { rest, master, masterUi, workerUi }, settings, cores);
    const find = 'import pyspark, os; print(os.path.dirname(pyspark.__file__))';
    const home = (await promisify(execFile)(python, ['-c', find])).stdout.trim();
    spark.#environment = {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      JAVA_HOME: process.env['JAVA_HOME'],
      SPARK_HOME: home,
      SPARK_LOCAL_IP: '127.0.0.1',
      SPARK_DAEMON_MEMORY: '256m',
      PYSPARK_PYTHON: python,
      PYTHONDONTWRITEBYTECODE: '1',
      ...QUICK_JAVA,
      ...environment,
    };
    try {
      await spark.startMaster();
      if (worker) await spark.startWorker();
      return spark;
    } catch (error) {
      const said = (await spark.#said('master')) + (await spark.#said('worker'));
      await spark[Symbol.asyncDispose]();
      throw new Error(`Spark did not start:\n${said}`, { cause: error });
    }
  }

  private constructor(
    folder: string,
    ports: { rest: number; master: number; masterUi: number; workerUi: number },
    settings: readonly string[],
    cores: number,
  ) {
    this.#folder = folder;
    this.#ports = ports;
    this.#settings = settings;
    this.#cores = cores;
    this.url = `http://127.0.0.1:${ports.rest}`;
    process.once('exit', this.#endAll);
  }

  /** Resolves when it takes submissions; it is the same one again, with what it wrote down. */
  async startMaster(): Promise<void> {
    const { master, masterUi, rest } = this.#ports;
    await this.#launch(
      'master',
      'org.apache.spark.deploy.master.Master',
      [...['--host', '127.0.0.1', '--port', String(master), '--webui-port', String(masterUi)]],
      {
        'spark.master.rest.enabled': 'true',
        'spark.master.rest.host': '127.0.0.1',
        'spark.master.rest.port': String(rest),
        'spark.deploy.recoveryMode': 'FILESYSTEM',
        'spark.deploy.recoveryDirectory': path.join(this.#folder, 'recovery'),
        ...Object.fromEntries(this.#settings.map((setting) => setting.split('=', 2) as [string, string])),
      },
    );
    await this.#until('master', async () => (await this.#state()).status === 'ALIVE');
  }

  /** Resolves when the master knows it. */
  async startWorker(): Promise<void> {
    const { master, workerUi } = this.#ports;
    await this.#launch(
      'worker',
      'org.apache.spark.deploy.worker.Worker',
      [
        ...[
          '--host',
          '127.0.0.1',
          '--webui-port',
          String(workerUi),
          '--cores',
          String(this.#cores),
          '--memory',
          `${this.#cores + 1}g`,
        ],
        ...['--work-dir', path.join(this.#folder, 'work'), `spark://127.0.0.1:${master}`],
      ],
      { 'spark.worker.driverTerminateTimeout': '2s' },
    );
    await this.#until('worker', async () => (await this.#state()).aliveworkers > 0);
  }

  /** As a crash ends it: the master, or the worker with all that it runs. */
  async kill(daemon: Daemon): Promise<void> {
    const child = this.#daemons.get(daemon);
    this.#daemons.delete(daemon);
    if (child === undefined) return;
    const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
    endGroup(child);
    await ended;
  }

  /** What the master has written down is lost; only while it is away. */
  async forget(): Promise<void> {
    await rm(path.join(this.#folder, 'recovery'), { recursive: true, force: true });
  }

  /** All drivers that the master knows, the oldest first. */
  async drivers(): Promise<SeenDriver[]> {
    const { activedrivers, completeddrivers } = await this.#state();
    return [...activedrivers, ...completeddrivers].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** The process of a driver that works, or is about to: its Java. */
  async driverProcess(driverId: string): Promise<number> {
    const deadlineMs = performance.now() + DRIVER_WITHIN_MS;
    for (;;) {
      const driver = (await this.#processes(driverId)).find(({ command }) => command.includes('DriverWrapper'));
      if (driver !== undefined) return driver.id;
      // The master says that a driver runs before its worker has started it.
      if (performance.now() > deadlineMs) throw new Error(`${driverId} does not work`);
      await sleep(100);
    }
  }

  /** Those of the application that a driver runs: its Python and its Java, without the launcher around them. */
  async applicationProcesses(driverId: string): Promise<number[]> {
    const ofApplication = (await this.#processes(driverId)).filter(
      ({ command }) => !command.includes('DriverWrapper') && !command.includes('launcher.py'),
    );
    return ofApplication.map(({ id }) => id);
  }

  async #processes(driverId: string): Promise<{ id: number; command: string }[]> {
    const folder = path.join(this.#folder, 'work', driverId);
    const found: { id: number; command: string }[] = [];
    for (const name of await readdir('/proc')) {
      if (!/^\d+$/.test(name) || (await readlink(`/proc/${name}/cwd`).catch(() => '')) !== folder) continue;
      found.push({ id: Number(name), command: await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '') });
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill('worker');
    await this.kill('master');
    process.off('exit', this.#endAll);
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  readonly #endAll = (): void => {
    for (const child of this.#daemons.values()) endGroup(child);
  };

  async #launch(daemon: Daemon, main: string, args: string[], properties: Record<string, string>): Promise<void> {
    await mkdir(path.join(this.#folder, 'recovery'), { recursive: true });
    const log = await open(this.#log(daemon), 'a');
    const given = Object.entries(properties).map(([name, value]) => `-D${name}=${value}`);
    const child = spawn(path.join(this.#environment['SPARK_HOME'] ?? '', 'bin/spark-class'), [main, ...args], {
      detached: true,
      cwd: this.#folder,
      env: { ...this.#environment, SPARK_DAEMON_JAVA_OPTS: given.join(' ') },
      stdio: ['ignore', log.fd, log.fd],
    });
    await log.close();
    this.#daemons.set(daemon, child);
  }

  async #until(daemon: Daemon, ready: () => Promise<boolean>): Promise<void> {
    const deadlineMs = performance.now() + READY_WITHIN_MS;
    while (!(await ready().catch(() => false))) {
      const exitCode = this.#daemons.get(daemon)?.exitCode;
      if (typeof exitCode === 'number') throw new Error(`the ${daemon} ended with ${exitCode}`);
      if (performance.now() > deadlineMs) throw new Error(`no ${daemon} within ${READY_WITHIN_MS / 1000} s`);
      await sleep(250);
    }
  }

  async #state() {
    const answer = await fetch(`http://127.0.0.1:${this.#ports.masterUi}/json/`);
    return (await answer.json()) as {
      status: string;
      aliveworkers: number;
      activedrivers: SeenDriver[];
      completeddrivers: SeenDriver[];
    };
  }

  #log(daemon: Daemon): string {
    return path.join(this.#folder, `${daemon}.log`);
  }

  async #said(daemon: Daemon): Promise<string> {
    return (await readFile(this.#log(daemon), 'utf8').catch(() => '')).slice(-2_000);
  }
}

function endGroup(child: ChildProcess): void {
  try {
    process.kill(-(child.pid ?? 0), 'SIGKILL');
  } catch {
    // It has ended.
  }
}
