/** Processes that this one starts and that must not outlive it. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Output of a short command. @throws Error, with what it wrote, when it is not there, fails or takes too long */
export async function outputOf(command: string, args: string[], timeoutMs: number): Promise<string> {
  try {
    const { stdout } = await run(command, args, { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 16e6 });
    return stdout;
  } catch (error) {
    const { stderr = '', killed = false } = error as { stderr?: string; killed?: boolean };
    if (killed) throw new Error(`${command} took longer than ${timeoutMs / 1000} s`, { cause: error });
    throw stderr.trim() === '' ? error : new Error(stderr.trim(), { cause: error });
  }
}

/**
 * Starts a program that is killed when this process ends. On Linux the kernel sees to it even after a SIGKILL (PR_SET_PDEATHSIG,
 * by `setpriv` of util-linux), so the program gets a session of its own: a Ctrl-C in the terminal reaches us alone, and we
 * end it when we are done with it. Elsewhere it stays in our process group, whose end is then its own.
 * Its error output is a pipe, everything else is closed.
 */
export async function spawnOwned(command: string, args: string[]): Promise<ChildProcess> {
  const setpriv = ['--pdeathsig', 'KILL'];
  const tied = await outputOf('setpriv', [...setpriv, 'true'], 2000).then(
    () => true,
    () => false,
  );
  const child = tied
    ? spawn('setpriv', [...setpriv, command, ...args], { stdio: ['ignore', 'ignore', 'pipe'], detached: true })
    : spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const endWithUs = () => child.kill('SIGKILL');
  process.once('exit', endWithUs);
  child.once('exit', () => process.off('exit', endWithUs));
  return child;
}

/** Ends a process by SIGTERM, by SIGKILL when it still runs after `graceMs`. @returns false when it survived even that */
export async function endProcess(pid: number, graceMs: number): Promise<boolean> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const deadlineMs = performance.now() + graceMs;
    if (!sendSignal(pid, signal)) return true;
    while (performance.now() < deadlineMs) {
      await sleep(20);
      if (!sendSignal(pid, 0)) return true;
    }
  }
  return false;
}

/** @returns false when there is no such process (any more) */
function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}
