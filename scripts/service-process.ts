/** A service of one's own for a script: `src/server.ts` in a child process that ends with the script. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** Longer than the service gives itself. */
const STOP_WITHIN_MS = 30_000;
const SERVER = fileURLToPath(new URL('../src/server.ts', import.meta.url));
const END_WITH_PARENT = new URL('end-with-parent.ts', import.meta.url).href;
const KEPT_CHARACTERS = 4000;

export interface ServiceOptions {
  /** Made if need be. */
  dataDir: string;
  /** A free one when left out. */
  port?: number;
  /** Beside that of the script. */
  environment?: Record<string, string>;
  /** Gets what a person who waits wants to read, such as the progress of obtaining Temporal. */
  report: (line: string) => void;
  /** Aborting ends the service while it starts. */
  signal?: AbortSignal;
}

export interface ServiceProcess {
  url: string;
  pid: number;
  temporalAddress: string;
  temporalUi: string | undefined;
  /** Where its log lines are. */
  logFile: string;
  /** Rejects when it ends by itself. */
  failed: Promise<never>;
  /** Resolves when it and what it started have ended. */
  stop(): Promise<void>;
}

interface LogLine {
  msg?: string;
  level?: string;
  url?: string;
  temporal?: string;
  temporalUi?: string;
  error?: { message?: string };
}

/**
 * Resolves when the service is ready.
 * @throws Error with what the service said when it does not start
 */
export async function startService(options: ServiceOptions): Promise<ServiceProcess> {
  const { dataDir, port = 0, environment, report, signal } = options;
  mkdirSync(dataDir, { recursive: true });
  const logFile = join(dataDir, 'service.log');
  const log = createWriteStream(logFile, { flags: 'a' });
  const child = spawn(process.execPath, ['--import', END_WITH_PARENT, SERVER], {
    env: { ...process.env, ...environment, DATA_DIR: dataDir, PORT: String(port) },
    // A Ctrl-C in the terminal is for the script, which then ends the service.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const said = new Said(child, log, report);
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(said.whyItEnded(code as number | null, logFile));
  });
  exited.catch(() => undefined); // Whoever waits is told.
  const stop = async (): Promise<void> => {
    await end(child);
    log.end();
  };
  const giveUp = (): void => void child.kill('SIGTERM');
  signal?.addEventListener('abort', giveUp, { once: true });
  try {
    const ready = await Promise.race([said.ready, exited]);
    return {
      url: ready.url ?? '',
      pid: child.pid ?? 0,
      temporalAddress: ready.temporal ?? '',
      temporalUi: ready.temporalUi,
      logFile,
      failed: exited,
      stop,
    };
  } catch (error) {
    await stop();
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
}

/** What the service writes: into its log, and of it what matters to whoever started it. */
class Said {
  readonly ready: Promise<LogLine>;
  #errors = '';
  #fatal: string | undefined;

  constructor(child: ChildProcess, log: WriteStream, report: (line: string) => void) {
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-KEPT_CHARACTERS);
      log.write(chunk);
    });
    this.ready = new Promise((resolve) => {
      if (child.stdout === null) return;
      createInterface({ input: child.stdout }).on('line', (text) => {
        log.write(`${text}\n`);
        const { msg, level, error, ...line } = parse(text);
        if (level === 'fatal') this.#fatal = error?.message ?? msg;
        if (msg === 'ready') resolve(line);
        else if (level === 'info' && msg !== undefined && /temporal/i.test(msg)) report(msg);
      });
    });
  }

  whyItEnded(code: number | null, logFile: string): string {
    const errors = this.#errors.trim();
    return errors === '' ? `${this.#fatal ?? `The service ended with ${String(code)}`}; see ${logFile}` : errors;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const late = await Promise.race([exited.then(() => false), sleep(STOP_WITHIN_MS, true, { ref: false })]);
  if (late) child.kill('SIGKILL');
  await exited;
}

function parse(text: string): LogLine {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return {};
  }
}
