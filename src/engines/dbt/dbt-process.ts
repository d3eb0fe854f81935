/**
 * dbt as a child process that cannot outlive what started it. On Linux the kernel kills it when this process ends,
 * however that ends (PR_SET_PDEATHSIG, by `setpriv`), and a lock that dbt and whatever it starts inherit (`flock`)
 * keeps a second dbt of the same step waiting while anything of the first still lives; both are of util-linux. Elsewhere
 * an orderly end of this process ends it, a SIGKILL does not.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { EngineError, messageOf } from '../../errors.ts';

/** Told to stop, dbt cancels its queries; then it is killed. Well within the 60 s that a cancellation may take. */
const STOP_WITHIN_MS = 15_000;
/** A predecessor on this machine is told to stop by Temporal at its next heartbeat, and has so long for it. */
const PREDECESSOR_GONE_WITHIN_S = 60;
/** Of `flock`: the lock was not free in time. dbt's own codes are 0, 1 and 2. */
const LOCK_TAKEN = 75;
/** What dbt wrote before it ended is in the pipes; only something that left its group could keep them open. */
const READ_WITHIN_MS = 5_000;
/** A line of dbt is an event of a few kilobytes. */
const MAX_LINE_LENGTH = 1_000_000;

export interface DbtCall {
  command: string;
  args: readonly string[];
  folder: string;
  environment: Readonly<Record<string, string>>;
  /** Absolute; held while dbt lives. */
  lockFile: string;
}

/**
 * Runs dbt to its end and answers its exit code.
 *
 * @throws EngineError `UnavailableError` when it cannot be started, was killed, or a predecessor does not end;
 *   `signal.reason` when aborted, once nothing of dbt lives any more
 */
export async function runDbtProcess(
  call: DbtCall,
  signal: AbortSignal,
  onLine: (line: string) => void,
): Promise<number> {
  signal.throwIfAborted();
  const [program, args] = await ownedCommand(call);
  const child = spawn(program, args, {
    cwd: call.folder,
    env: call.environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own, so that whatever dbt starts ends with it.
    detached: true,
  });
  const killNow = (): void => {
    signalGroup(child, 'SIGKILL');
  };
  process.once('exit', killNow);
  const reading = [child.stdout, child.stderr].map(async (input) => {
    for await (const line of createInterface({ input })) onLine(line.slice(0, MAX_LINE_LENGTH));
  });
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const stop = (): void => void stopGroup(child, exited);
  signal.addEventListener('abort', stop, { once: true });
  try {
    const [code, killedBy] = await exited.catch((error: unknown) => {
      throw new EngineError('UnavailableError', `${call.command} cannot be started: ${messageOf(error)}`);
    });
    killNow(); // What it left behind would keep the pipes and the lock.
    await Promise.race([Promise.all(reading), sleep(READ_WITHIN_MS, undefined, { ref: false })]);
    signal.throwIfAborted();
    if (killedBy !== null || code === null)
      throw new EngineError('UnavailableError', `dbt was ended by ${killedBy ?? 'something'}`);
    if (code === LOCK_TAKEN) {
      throw new EngineError('UnavailableError', 'an earlier dbt of this step is still at work on this machine');
    }
    return code;
  } finally {
    signal.removeEventListener('abort', stop);
    process.off('exit', killNow);
  }
}

async function ownedCommand({ command, args, lockFile }: DbtCall): Promise<[string, string[]]> {
  const tie = ['--pdeathsig', 'KILL'];
  const [tied, locked] = await Promise.all([works('setpriv', [...tie, 'true']), works('flock', ['--version'])]);
  // The lock is taken by the very process that becomes dbt, so that dbt and all it starts hold it.
  const lock = ['--exclusive', '--no-fork', '--timeout', String(PREDECESSOR_GONE_WITHIN_S)];
  // Who starts it may be gone before the kernel is told to watch.
  const unlessOrphaned = ['sh', '-c', 'test "$PPID" -eq "$0" && exec "$@"', String(process.pid)];
  const line = [
    ...(tied ? ['setpriv', ...tie, ...unlessOrphaned] : []),
    ...(locked ? ['flock', ...lock, '--conflict-exit-code', String(LOCK_TAKEN), lockFile] : []),
    command,
    ...args,
  ];
  return [line[0] ?? command, line.slice(1)];
}

async function works(command: string, args: string[]): Promise<boolean> {
  return promisify(execFile)(command, args, { timeout: 5000, killSignal: 'SIGKILL' }).then(
    () => true,
    () => false,
  );
}

async function stopGroup(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  signalGroup(child, 'SIGINT');
  const late = await Promise.race([exited.then(() => false), sleep(STOP_WITHIN_MS, true, { ref: false })]).catch(
    () => false,
  );
  if (late) signalGroup(child, 'SIGKILL');
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // Nothing of it is left.
  }
}
