/** The whole service as a user starts it: `src/server.ts` in a process of its own, with its own data folder. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Client } from '@temporalio/client';
import { withTemporal } from '../../scripts/bench/with-temporal.ts';
import { ApiClient } from '../../src/cli/api-client.ts';
import type { WorkflowStatus } from '../../src/schemas/api-run-answers.ts';

const SERVER = fileURLToPath(new URL('../../src/server.ts', import.meta.url));

export interface HttpAnswer {
  status: number;
  body: Record<string, unknown> & { error?: { code: string; message: string; details: unknown[] } };
}

export class Service implements AsyncDisposable {
  readonly folder: string;
  #environment: Record<string, string>;
  #child: ChildProcess | undefined;
  #said: string[] = [];
  url = '';
  #temporal = '';

  private constructor(folder: string, environment: Record<string, string>) {
    this.folder = folder;
    this.#environment = environment;
  }

  static async start(environment: Record<string, string> = {}): Promise<Service> {
    const service = new Service(await mkdtemp(join(tmpdir(), 'pipeline-service-')), environment);
    await service.start();
    return service;
  }

  get dataDir(): string {
    return join(this.folder, 'data');
  }

  get pid(): number {
    return this.#running().pid ?? 0;
  }

  get api(): ApiClient {
    return new ApiClient({ url: this.url });
  }

  /** Resolves when it is ready; another environment than before is kept for later starts. */
  async start(environment = this.#environment): Promise<void> {
    this.#environment = environment;
    const child = spawn(process.execPath, [SERVER], {
      // A group of its own, so that a test can end everything in it at once.
      detached: true,
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        ...this.#environment,
        DATA_DIR: this.dataDir,
        PORT: '0',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stderr.on('data', (chunk: Buffer) => this.#said.push(chunk.toString()));
    this.url = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        this.#said.push(line);
        const { msg, url, temporal } = JSON.parse(line) as { msg: string; url?: string; temporal?: string };
        if (msg !== 'ready' || url === undefined) return;
        this.#temporal = temporal ?? '';
        resolve(url);
      });
      child.once('exit', (code) => {
        reject(new Error(`the service ended with ${String(code)}: ${this.log()}`));
      });
    });
  }

  /** The end of what it logged. */
  log(lines = 30): string {
    return this.#said.slice(-lines).join('\n');
  }

  /** SIGKILL: to the service and its Temporal server, or to the service alone, whose server is then an orphan. */
  async kill(what: 'everything' | 'service'): Promise<void> {
    const child = this.#running();
    const exited = once(child, 'exit');
    process.kill(what === 'everything' ? -(child.pid ?? 0) : (child.pid ?? 0), 'SIGKILL');
    await exited;
  }

  /** To the service alone: SIGSTOP and SIGCONT make it one that is cut off for a while. */
  signal(signal: NodeJS.Signals): void {
    this.#running().kill(signal);
  }

  /** SIGTERM; answers the exit code. */
  async stop(): Promise<number | null> {
    const child = this.#running();
    const exited = once(child, 'exit') as Promise<[number | null]>;
    child.kill('SIGTERM');
    const [code] = await exited;
    return code;
  }

  async call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<HttpAnswer> {
    const response = await fetch(this.url + path, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as HttpAnswer['body'] };
  }

  /** Registers a document and answers its id; when a test is tried again it is there, and gets a new revision. */
  async register(document: object): Promise<string> {
    const created = await this.call('POST', '/v1/pipelines', document);
    const isThere = created.status === 409;
    const { status, body } = isThere
      ? await this.call('PUT', `/v1/pipelines/${(document as { name: string }).name}`, document)
      : created;
    if (status !== (isThere ? 200 : 201)) throw new Error(`not registered: ${JSON.stringify(body)}`);
    return body['pipelineId'] as string;
  }

  execute(pipeline: string, body: object = {}) {
    return this.api.execute(pipeline, body, crypto.randomUUID());
  }

  async until(
    workflowId: string,
    test: (status: WorkflowStatus) => boolean,
    limitMs = 150_000,
  ): Promise<WorkflowStatus> {
    const deadlineMs = Date.now() + limitMs;
    for (;;) {
      const status = await this.api.status(workflowId);
      if (test(status)) return status;
      if (Date.now() > deadlineMs) throw new Error(`never reached: ${JSON.stringify(status)}\n${this.log()}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  ended(workflowId: string, limitMs?: number): Promise<WorkflowStatus> {
    return this.until(workflowId, ({ status }) => status !== 'RUNNING', limitMs);
  }

  atGate(workflowId: string): Promise<WorkflowStatus> {
    return this.until(workflowId, ({ pendingSignals }) => pendingSignals.includes('approval'));
  }

  /** The service's own Temporal, past its API. */
  withTemporal<T>(use: (client: Client) => Promise<T>): Promise<T> {
    return withTemporal(this.#temporal, use);
  }

  async metrics(): Promise<string> {
    return (await fetch(`${this.url}/metrics`)).text();
  }

  /** Everything that is in the folder's databases and files, as text, for looking for what must not be there. */
  async file(path: string): Promise<string> {
    return readFile(join(this.folder, path), 'latin1');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    if (child?.exitCode === null && child.signalCode === null) await this.stop();
    try {
      process.kill(-(child?.pid ?? 0), 'SIGKILL'); // A server that was left behind.
    } catch {
      // Nothing was.
    }
    await rm(this.folder, { recursive: true, maxRetries: 20, retryDelay: 200, force: true });
  }

  #running(): ChildProcess {
    if (this.#child === undefined) throw new TypeError('the service was not started');
    return this.#child;
  }
}
