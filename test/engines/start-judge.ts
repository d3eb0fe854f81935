/** What `npm run test:engines` does first: finds or installs pyiceberg and Spark, and starts the judge that has both. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { TestProject } from 'vitest/node';
import { preparePythonEnvironment } from '../support/python-environment.ts';
import { QUICK_JAVA } from '../support/quick-java.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    judgeUrl: string;
  }
}

const STOP_WITHIN_MS = 15_000;

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const environment = await preparePythonEnvironment((line) => process.stderr.write(`${line}\n`));
  const scratch = await mkdtemp(path.join(tmpdir(), 'pipeline-service-judge-'));
  const script = path.join(import.meta.dirname, 'judge/judge.py');
  const options = JSON.stringify({ jars: environment.jars, scratch });
  // Without bytecode files in the work tree. Spark writes its progress to the standard error, which is not shown
  // unless the judge does not start.
  const judge = spawn(environment.python, ['-B', script, options], {
    env: { ...process.env, ...QUICK_JAVA },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let said = '';
  judge.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4_000);
  });
  const [line] = (await Promise.race([once(createInterface(judge.stdout), 'line'), once(judge, 'exit')])) as unknown[];
  const port = typeof line === 'string' ? /^ready (\d+)$/.exec(line)?.[1] : undefined;
  if (port === undefined) throw new Error(`The judge did not start:\n${said}`);
  project.provide('judgeUrl', `http://127.0.0.1:${port}`);
  return async () => {
    await stop(judge);
    await rm(scratch, { recursive: true, maxRetries: 20, retryDelay: 200, force: true });
  };
}

/** The judge stops Spark and ends when its standard input ends. */
async function stop(judge: ChildProcess): Promise<void> {
  if (judge.exitCode !== null || judge.signalCode !== null) return;
  const ended = once(judge, 'exit');
  judge.stdin?.end();
  const patience = setTimeout(() => judge.kill('SIGKILL'), STOP_WITHIN_MS);
  await ended;
  clearTimeout(patience);
}
