import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { createLogger } from '../../../src/logger.ts';
import { StartupError } from '../../../src/startup-error.ts';
import { startDevServer, type DevServer } from '../../../src/temporal/dev-server.ts';
import { findServers } from '../../../src/temporal/orphaned-server.ts';
import { startProgram } from '../../support/child-program.ts';

const logger = createLogger('silent');
const binary = inject('temporalBinary');

let dataDir: string;
let running: DevServer[] = [];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'dev-server-'));
});
afterEach(async () => {
  await Promise.all(running.map((server) => server.stop()));
  running = [];
  expect(await serversHere(), 'servers that were left').toEqual([]);
  await rm(dataDir, { recursive: true, maxRetries: 20, retryDelay: 200 });
});

async function start(): Promise<DevServer> {
  const server = await startDevServer({ binary, dataDir, namespaces: ['default'], logger });
  running.push(server);
  return server;
}

const databaseFile = () => join(dataDir, 'temporal', 'temporal.db');
const serversHere = () => findServers(databaseFile());
const own = () => startProgram(new URL('programs/own-dev-server.ts', import.meta.url), [binary, dataDir]);

async function withClient<T>(address: string, use: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await connection.withDeadline(Date.now() + 15_000, () => use(new Client({ connection })));
  } finally {
    await connection.close();
  }
}

const startWorkflow = (address: string, workflowId: string) =>
  withClient(address, (client) => client.workflow.start('nobodyWorks', { taskQueue: 'none', workflowId }));

const statusOf = (address: string, workflowId: string) =>
  withClient(address, async (client) => (await client.workflow.getHandle(workflowId).describe()).status.name);

describe('the dev server', () => {
  test('when started again on the same folder, still has the workflows and the same addresses', async () => {
    const first = await start();
    await startWorkflow(first.address, 'survivor');
    await first.stop();
    expect(await serversHere()).toEqual([]);

    const second = await start();

    expect(await statusOf(second.address, 'survivor')).toBe('RUNNING');
    expect(second).toMatchObject({ address: first.address, uiUrl: first.uiUrl });
    expect((await fetch(second.uiUrl ?? '')).status).toBe(200);
  });

  test('when it got SIGKILL, is started again at the same address with its workflows', async () => {
    const server = await start();
    await startWorkflow(server.address, 'survivor');
    const [pid = 0] = await serversHere();
    process.kill(pid, 'SIGKILL');

    await expect.poll(() => statusOf(server.address, 'survivor').catch(String), { timeout: 60_000 }).toBe('RUNNING');
    expect(await serversHere()).not.toContain(pid);
  });

  test('when its port was taken meanwhile, takes another', async () => {
    const first = await start();
    await first.stop();
    const port = Number(first.address.split(':')[1]);
    const squatter = createServer().listen(port, '127.0.0.1');
    await new Promise((resolve) => squatter.once('listening', resolve));

    const second = await start();
    squatter.close();

    expect(second.address).not.toBe(first.address);
    expect(second.uiUrl).toBe(first.uiUrl);
  });

  test('when the command is no Temporal, fails with a message instead of hanging', async () => {
    const starting = startDevServer({ binary: '/does/not/exist', dataDir, namespaces: ['default'], logger });

    await expect(starting).rejects.toThrow(StartupError);
  });

  test('when an earlier first start was killed half way, begins anew', async () => {
    await mkdir(join(dataDir, 'temporal'));
    await writeFile(databaseFile(), 'a part of a database');
    await writeFile(`${databaseFile()}.unfinished`, '');

    const server = await start();
    await startWorkflow(server.address, 'first');

    expect(existsSync(`${databaseFile()}.unfinished`)).toBe(false);
  });
});

describe('the owner of a dev server', () => {
  test('when it got SIGKILL, is succeeded by one with the same workflows and one server', async () => {
    for (const workflowId of ['one', 'two', 'three']) {
      const owner = await own();
      await startWorkflow(owner.firstLine, workflowId);
      await owner.kill('SIGKILL');
    }

    const server = await start();

    expect(await serversHere()).toHaveLength(1);
    for (const workflowId of ['one', 'two', 'three']) {
      expect(await statusOf(server.address, workflowId)).toBe('RUNNING');
    }
  });

  test('when it got SIGKILL together with its server, loses nothing that was acknowledged', async () => {
    const owner = await own();
    const pids = await serversHere();
    for (let index = 0; index < 20; index += 1) await startWorkflow(owner.firstLine, `w${index}`);
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await owner.kill('SIGKILL');

    const server = await start();

    for (let index = 0; index < 20; index += 1) expect(await statusOf(server.address, `w${index}`)).toBe('RUNNING');
  });

  test('when it left a server that nothing ended, has it ended by the next one', async () => {
    await (await start()).stop();
    const args = [
      'server',
      'start-dev',
      '--ip',
      '127.0.0.1',
      '--port',
      '0',
      '--headless',
      '--db-filename',
      databaseFile(),
    ];
    const orphan = spawn(binary, args, { stdio: 'ignore' });
    await expect.poll(serversHere).toEqual([orphan.pid]);

    await start();

    expect(orphan.exitCode ?? orphan.signalCode).not.toBeNull();
    expect(await serversHere()).toHaveLength(1);
  });

  test('when it ends by SIGTERM, takes its server along', async () => {
    const owner = await own();
    await owner.kill('SIGTERM');

    await expect.poll(serversHere, { timeout: 60_000 }).toEqual([]);
  });
});
