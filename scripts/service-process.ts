/** A service of one's own for a script: `src/server.ts` in a child process that ends with the script. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const STOP_WITHIN_MS = 30_000;

export interface ServiceProcess {
  url: string;
  pid: number;
  temporalAddress: string;
  temporalUi: string | undefined;
  /** Where its log lines are. */
  logFile: string;
  stop(): Promise<void>;
}

interface LogLine {
  msg?: string;
  level?: string;
  url?: string;
  temporal?: string;
  temporalUi?: string;
}

/**
 * Starts the service and resolves when it is ready; `report` gets what a person who waits wants to read.
 * Rejects with what the service said when it does not start.
 */
export async function startService(options: {
  dataDir: string;
  port?: number;
  environment?: Record<string, string>;
  report: (line: string) => void;
}): Promise<ServiceProcess> {
  const { dataDir, report } = options;
  mkdirSync(dataDir, { recursive: true });
  const logFile = join(dataDir, 'service.log');
  const log = createWriteStream(logFile, { flags: 'a' });
  const port = options.port ?? (await freePort());
  const child = spawn(process.execPath, [fileURLToPath(new URL('../src/server.ts', import.meta.url))], {
    env: { ...process.env, ...options.environment, DATA_DIR: dataDir, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const killWithUs = (): void => {
    child.kill('SIGTERM');
  };
  process.once('exit', killWithUs);

  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4000);
    log.write(chunk);
  });
  const ready = new Promise<LogLine>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (text) => {
      log.write(`${text}\n`);
      const line = parse(text);
      if (line.msg === 'ready') resolve(line);
      else if (line.msg !== undefined && /temporal/i.test(line.msg) && line.level === 'info') report(line.msg);
    });
    child.once('exit', (code) => {
      reject(new Error(said.trim() === '' ? `the service ended with ${String(code)}; see ${logFile}` : said.trim()));
    });
  });
  const line = await ready;
  return {
    url: line.url ?? `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    temporalAddress: line.temporal ?? '',
    temporalUi: line.temporalUi,
    logFile,
    async stop() {
      await stop(child);
      process.off('exit', killWithUs);
      log.end();
    },
  };
}

async function stop(child: ChildProcess): Promise<void> {
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

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
