/** Writer processes: real ones, so that they meet only in the files, and so that SIGKILL is one. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { WriterOrders } from './writer-process.ts';

export interface Writer {
  /** Resolves when the process ended, however it did. */
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; said: string }>;
  /** Names of the loads that it said were committed. */
  committed: string[];
  kill(): void;
}

/** Starts a process that carries out `orders`, with some more variables than ours. */
export function startWriter(orders: WriterOrders, variables: Record<string, string> = {}): Writer {
  const script = path.join(import.meta.dirname, 'writer-process.ts');
  const child: ChildProcess = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', script, JSON.stringify(orders)],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...variables },
    },
  );
  const committed: string[] = [];
  if (child.stdout) createInterface(child.stdout).on('line', (line) => committed.push(line));
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4_000);
  });
  const ended = once(child, 'close').then(() => ({ code: child.exitCode, signal: child.signalCode, said }));
  return {
    ended,
    committed,
    kill: () => {
      child.kill('SIGKILL');
    },
  };
}
