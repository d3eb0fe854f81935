/** Programs of the tests in processes of their own, for what only a SIGKILL shows. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface ChildProgram {
  pid: number;
  /** The first line that it wrote: it is where the test wants it. */
  firstLine: string;
  /** Resolves when it is gone. */
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** @throws Error, with what it wrote, when it ends before its first line */
export async function startProgram(program: URL, args: string[]): Promise<ChildProgram> {
  const child = spawn(process.execPath, [fileURLToPath(program), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  let errors = '';
  child.stderr.on('data', (text) => (errors += String(text)));
  const firstLine = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line').then(([line]) => String(line)),
    ended.then(() => undefined),
  ]);
  if (firstLine === undefined) throw new Error(`${program.pathname} ended: ${errors}`);
  return {
    pid: child.pid ?? 0,
    firstLine,
    kill: async (signal) => {
      child.kill(signal);
      await ended;
    },
  };
}

/** Whether the process is there, be it one that nobody has waited for yet. */
export function lives(processId = 0): boolean {
  try {
    return process.kill(processId, 0);
  } catch {
    return false;
  }
}
