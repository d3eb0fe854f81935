/** One process of Temporal's dev server: its arguments, and when it is ready. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChildProcess } from 'node:child_process';
import { Connection } from '@temporalio/client';
import type { Logger } from '../logger.ts';
import { endProcess, spawnOwned } from './child-process.ts';
import { hasGrpcStatus } from './grpc-status.ts';

const HOST = '127.0.0.1';
const READY_TIMEOUT_MS = 30_000;
const CALL_TIMEOUT_MS = 1000;
const GRACE_MS = 5000;
const KEPT_LINES = 20;

/**
 * The dev server has one shard, and a queue of a shard polls 20 times a second by default: 50 ms for every task. At 200
 * a chain of activities runs as fast as its database allows.
 */
const DISPATCH_SETTINGS = [
  'history.transferProcessorMaxPollRPS=200',
  'history.timerProcessorMaxPollRPS=200',
  'history.visibilityProcessorMaxPollRPS=200',
  // Without fairness a backfill of a few partitions waits behind all that one of thousands has in the queue. It is kept
  // within a partition of a queue; all are still read, for what an earlier server wrote to the others.
  'matching.enableFairness=true',
  'matching.numTaskqueueWritePartitions=1',
];

/** With a write-ahead log the server starts three times as many workflows a second; what it acknowledged is as safe. */
const DATABASE_SETTINGS = ['--sqlite-pragma', 'journal_mode=wal'];

export interface DevServerPlace {
  binary: string;
  /** Made if need be; at least one. */
  namespaces: readonly string[];
  /** Real path; undefined: in memory. */
  databaseFile: string | undefined;
  port: number;
  /** Undefined: no UI. */
  uiPort: number | undefined;
}

export interface DevServerProcess {
  pid: number;
  /** Resolves when the process has ended, with the last lines that it wrote. */
  ended: Promise<string[]>;
  stop(): Promise<void>;
}

/** Starts the server and waits until it takes workflows. @throws Error, with what it wrote, when it ends before */
export async function startDevServerProcess(place: DevServerPlace, logger: Logger): Promise<DevServerProcess> {
  const inMemory = place.databaseFile === undefined;
  const child = await spawnOwned(place.binary, argumentsFor(place));
  const ended = endOf(child, logger);
  await Promise.race([once(child, 'spawn'), ended]);
  const { pid } = child;
  if (pid === undefined) throw new Error(`Temporal's dev server cannot be started: ${(await ended).join('\n')}`);
  const stop = async () => {
    if (inMemory) child.kill('SIGKILL');
    else await endProcess(pid, GRACE_MS);
    await ended;
  };
  const failure = await Promise.race([ended, ready(place)]);
  if (failure === undefined) return { pid, ended, stop };
  await stop();
  throw new Error(`Temporal's dev server did not start: ${failure.join('\n')}`);
}

function argumentsFor({ namespaces, databaseFile, port, uiPort }: DevServerPlace): string[] {
  return [
    ...['server', 'start-dev', '--ip', HOST, '--port', `${port}`, '--log-level', 'error'],
    ...namespaces.flatMap((namespace) => ['--namespace', namespace]),
    ...(databaseFile === undefined ? [] : ['--db-filename', databaseFile, ...DATABASE_SETTINGS]),
    ...(uiPort === undefined ? ['--headless'] : ['--ui-port', `${uiPort}`]),
    ...DISPATCH_SETTINGS.flatMap((setting) => ['--dynamic-config-value', setting]),
  ];
}

async function endOf(child: ChildProcess, logger: Logger): Promise<string[]> {
  const lines: string[] = [];
  const keep = (line: string) => {
    if (lines.push(line) > KEPT_LINES) lines.shift();
  };
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on('line', (line) => {
      keep(line);
      logger.debug({ line }, 'Temporal dev server wrote');
    });
  }
  await new Promise<void>((resolve) => {
    child.once('close', () => {
      resolve();
    });
    child.once('error', (error) => {
      keep(error.message);
      if (child.pid === undefined) resolve();
    });
  });
  return lines;
}

/** @returns undefined once the server takes workflows, or why it does not */
async function ready({ namespaces: [namespace = ''], port }: DevServerPlace): Promise<string[] | undefined> {
  const deadlineMs = performance.now() + READY_TIMEOUT_MS;
  let last: unknown;
  const connection = Connection.lazy({
    address: `${HOST}:${port}`,
    // Else a refused connection is tried again after a second.
    channelArgs: { 'grpc.initial_reconnect_backoff_ms': 50, 'grpc.max_reconnect_backoff_ms': 50 },
  });
  try {
    while (performance.now() < deadlineMs) {
      try {
        await connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, async () => {
          await connection.workflowService.describeNamespace({ namespace });
          await askForNothing(connection, namespace);
        });
        return undefined;
      } catch (error) {
        last = error;
        await sleep(30);
      }
    }
    return [`not ready after ${READY_TIMEOUT_MS / 1000} s`, String(last)];
  } finally {
    await connection.close();
  }
}

/** Asks for a workflow that does not exist: the answer "not found" comes from the history service, which starts last. */
async function askForNothing(connection: Connection, namespace: string): Promise<void> {
  try {
    await connection.workflowService.describeWorkflowExecution({ namespace, execution: { workflowId: 'none' } });
  } catch (error) {
    if (!hasGrpcStatus(error, 'NOT_FOUND')) throw error;
  }
}
