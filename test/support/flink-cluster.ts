/** A real Flink session cluster with its SQL gateway, on free loopback ports; each part is a process that a test can end and start again. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../../src/temporal/free-ports.ts';
import {
  flinkInstallation,
  type FlinkInstallation,
  type FlinkPart,
  flinkS3Plugins,
  javaArguments,
} from './flink-installation.ts';
import { QUICK_JAVA } from './quick-java.ts';
import type { S3Gateway } from './s3-gateway.ts';

const READY_WITHIN_MS = 120_000;

export interface SeenFlinkJob {
  jid: string;
  name: string;
  state: string;
}

export class FlinkCluster implements AsyncDisposable {
  readonly restUrl: string;
  readonly gatewayUrl: string;
  readonly #installation: FlinkInstallation;
  readonly #folder: string;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #parts = new Map<FlinkPart, ChildProcess>();

  /**
   * Resolves when the task manager's slots are offered and the gateway answers.
   *
   * @param s3 what it reaches, with keys in the environment of its processes
   */
  static async start(s3: S3Gateway): Promise<FlinkCluster> {
    const installation = await flinkInstallation();
    const { S3_ENDPOINT: endpoint = '', ...keys } = s3.environment;
    const environment = { ...keys, FLINK_PLUGINS_DIR: await flinkS3Plugins() };
    const folder = await mkdtemp(path.join(tmpdir(), 'pipeline-service-flink-'));
    const ports = await freePorts([undefined, undefined, undefined]);
    await mkdir(path.join(folder, 'conf'));
    await writeFile(path.join(folder, 'conf/config.yaml'), configuration(folder, ports, endpoint));
    const [rest = 0, , gateway = 0] = ports;
    const cluster = new FlinkCluster(installation, folder, { rest, gateway }, environment);
    try {
      await Promise.all((['job manager', 'task manager', 'gateway'] as const).map((part) => cluster.#spawn(part)));
      await cluster.#ready(
        async () => (await cluster.#answer<{ 'slots-total': number }>('overview'))['slots-total'] > 0,
      );
      await cluster.#gatewayReady();
      return cluster;
    } catch (error) {
      const said = await cluster.#log();
      await cluster[Symbol.asyncDispose]();
      throw new Error(`Flink did not start:\n${said}`, { cause: error });
    }
  }

  private constructor(
    installation: FlinkInstallation,
    folder: string,
    ports: { rest: number; gateway: number },
    environment: Readonly<Record<string, string>>,
  ) {
    this.#environment = environment;
    this.#installation = installation;
    this.#folder = folder;
    this.restUrl = `http://127.0.0.1:${ports.rest}`;
    this.gatewayUrl = `http://127.0.0.1:${ports.gateway}`;
    process.once('exit', this.#killAll);
  }

  /** As a crash ends it, with its sessions. */
  async stopGateway(): Promise<void> {
    await end(this.#parts.get('gateway'));
  }

  async startGateway(): Promise<void> {
    await this.#spawn('gateway');
    await this.#gatewayReady();
  }

  /** What the job manager says of all jobs whose name starts so, the oldest first. */
  async jobs(prefix: string): Promise<SeenFlinkJob[]> {
    const { jobs } = await this.#answer<{ jobs: (SeenFlinkJob & { 'start-time': number })[] }>('jobs/overview');
    return jobs
      .filter(({ name }) => name.startsWith(prefix))
      .sort((a, b) => a['start-time'] - b['start-time'])
      .map(({ jid, name, state }) => ({ jid, name, state }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Array.from(this.#parts.values(), end));
    process.off('exit', this.#killAll);
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  readonly #killAll = (): void => {
    for (const child of this.#parts.values()) child.kill('SIGKILL');
  };

  async #spawn(part: FlinkPart): Promise<void> {
    const { home } = this.#installation;
    const conf = path.join(this.#folder, 'conf');
    const log = await open(path.join(this.#folder, `${part}.log`), 'a');
    const java = ['java', ...(await javaArguments(this.#installation, part, conf))];
    // Ends with the test, however that ends.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...java], {
      cwd: this.#folder,
      env: {
        PATH: process.env['PATH'],
        HOME: this.#folder,
        FLINK_CONF_DIR: conf,
        FLINK_LIB_DIR: path.join(home, 'lib'),
        FLINK_OPT_DIR: path.join(home, 'opt'),
        ...QUICK_JAVA,
        ...this.#environment,
      },
      stdio: ['ignore', log.fd, log.fd],
    });
    await log.close();
    this.#parts.set(part, child);
  }

  #gatewayReady(): Promise<void> {
    return this.#ready(async () => (await fetch(`${this.gatewayUrl}/v1/info`)).ok);
  }

  async #ready(isReady: () => Promise<boolean>): Promise<void> {
    const deadlineMs = performance.now() + READY_WITHIN_MS;
    while (!(await isReady().catch(() => false))) {
      const ended = Array.from(this.#parts).find(([, { exitCode }]) => exitCode !== null);
      if (ended !== undefined) throw new Error(`the ${ended[0]} ended with ${String(ended[1].exitCode)}`);
      if (performance.now() > deadlineMs) throw new Error(`not ready within ${READY_WITHIN_MS / 1000} s`);
      await sleep(200);
    }
  }

  async #answer<T>(restPath: string): Promise<T> {
    return (await (await fetch(`${this.restUrl}/${restPath}`)).json()) as T;
  }

  async #log(): Promise<string> {
    const logs = Array.from(this.#parts.keys(), async (part) => {
      const text = await readFile(path.join(this.#folder, `${part}.log`), 'utf8').catch(() => '');
      return `${part}:\n${text.slice(-2_000)}`;
    });
    return (await Promise.all(logs)).join('\n');
  }
}

function configuration(folder: string, [rest, rpc, gateway]: number[], s3Endpoint: string): string {
  const settings = {
    'jobmanager.rpc.address': '127.0.0.1',
    'jobmanager.rpc.port': rpc,
    'jobmanager.bind-host': '127.0.0.1',
    'rest.address': '127.0.0.1',
    'rest.bind-address': '127.0.0.1',
    'rest.port': rest,
    'taskmanager.bind-host': '127.0.0.1',
    'taskmanager.host': '127.0.0.1',
    'taskmanager.numberOfTaskSlots': 4,
    'jobmanager.memory.process.size': '1024m',
    'taskmanager.memory.process.size': '1400m',
    'sql-gateway.endpoint.rest.address': '127.0.0.1',
    'sql-gateway.endpoint.rest.port': gateway,
    'parallelism.default': 1,
    'io.tmp.dirs': folder,
    'web.upload.dir': folder,
    's3.endpoint': s3Endpoint,
    's3.path.style.access': true,
    // The files that stand for folders stay, one delete a request: not every S3 service takes lists of them.
    's3.directory.marker.retention': 'keep',
    's3.multiobjectdelete.enable': false,
  };
  return Object.entries(settings)
    .map(([key, value]) => `${key}: ${String(value)}\n`)
    .join('');
}

/** None of them has anything to save. */
async function end(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
