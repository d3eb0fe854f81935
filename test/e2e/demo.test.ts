/** `npm run demo` without a terminal: how it ends, and that nothing is left of it. CI runs it whole as a stage of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { findServers } from '../../src/temporal/orphaned-server.ts';
import { lives } from '../support/child-program.ts';

vi.setConfig({ testTimeout: 240_000 });

const DEMO = fileURLToPath(new URL('../../scripts/demo.ts', import.meta.url));

let dataDir: string;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  dataDir = await realpath(await mkdtemp(join(tmpdir(), 'pipeline-service-demo-')));
});
afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await rm(dataDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
});

class Demo {
  output = '';
  readonly child: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor(...args: string[]) {
    const child = spawn(process.execPath, [DEMO, ...args], {
      env: { ...process.env, DATA_DIR: dataDir, PORT: '0' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    }
    this.child = child;
    this.#ended = once(child, 'close').then(() => running.delete(child));
  }

  async exitCode(): Promise<number | null> {
    await this.#ended;
    return this.child.exitCode;
  }

  async says(text: string): Promise<void> {
    await vi.waitUntil(() => this.output.includes(text), { timeout: 60_000, interval: 50 });
  }
}

/** The service that owns the folder. */
async function servicePid(): Promise<number> {
  return (JSON.parse(await readFile(join(dataDir, 'owner.json'), 'utf8')) as { pid: number }).pid;
}

const temporalServers = () => findServers(join(dataDir, 'temporal', 'temporal.db'));

test('the demo, when its options make no sense, says what it takes', async () => {
  const contradiction = new Demo('--yes', '--no');
  expect(await contradiction.exitCode()).toBe(2);
  expect(contradiction.output).toContain('--yes and --no contradict each other');
  expect(await new Demo('--fast').exitCode()).toBe(2);
  expect(await new Demo('--help').exitCode()).toBe(0);
});

test('the demo, when it rejects, shows the faults in plain lines, exits 3 and leaves no process', async () => {
  const demo = new Demo('--no', '--exit');
  await demo.says('Started execution');
  const pid = await servicePid();
  const code = await demo.exitCode();
  expect(demo.output).toContain('-1116');
  expect(demo.output).toContain('CANCELLED: Rejected by local');
  expect(demo.output).not.toContain('\u001b');
  expect(code).toBe(3);
  expect(lives(pid)).toBe(false);
  expect(await temporalServers()).toEqual([]);
});

test('the demo, when another one runs on its folder, is refused in words; SIGINT ends the first one in order', async () => {
  const first = new Demo();
  await first.says('From another terminal: ');
  const pid = await servicePid();
  const second = new Demo('--yes', '--exit');
  expect(await second.exitCode()).toBe(1);
  expect(second.output).toContain(`DATA_DIR ${dataDir} is in use by another process (process ${pid}`);

  first.child.kill('SIGINT');
  expect(await first.exitCode()).toBe(130);
  expect(lives(pid)).toBe(false);
  expect(await temporalServers()).toEqual([]);
});

test('the demo, when it gets SIGKILL, takes its service along', async () => {
  const demo = new Demo();
  await demo.says('Started execution');
  const pid = await servicePid();
  demo.child.kill('SIGKILL');
  await vi.waitUntil(() => !lives(pid), { timeout: 60_000, interval: 50 });
  await vi.waitUntil(async () => (await temporalServers()).length === 0, { timeout: 60_000, interval: 50 });
});
