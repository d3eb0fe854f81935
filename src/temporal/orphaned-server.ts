/**
 * A dev server that an earlier owner of DATA_DIR left behind when it got SIGKILL. Whoever holds the lock of DATA_DIR ends
 * it before starting another: two servers on one database file would corrupt each other's runs.
 */
import { readdir, readFile } from 'node:fs/promises';
import { StartupError } from '../startup-error.ts';
import type { Logger } from '../logger.ts';
import { endProcess, outputOf } from './child-process.ts';

const GRACE_MS = 5000;

/** @param databaseFile real path, as the server's own arguments have it */
export async function endOrphanedServers(databaseFile: string, logger: Logger): Promise<void> {
  for (const pid of await findServers(databaseFile)) {
    logger.warn({ orphan: pid, databaseFile }, 'Ending the Temporal server that an earlier process left behind');
    if (!(await endProcess(pid, GRACE_MS))) {
      throw new StartupError(`Process ${pid} is a Temporal server on ${databaseFile} and could not be ended: end it.`);
    }
  }
}

/** Processes whose arguments say that they serve this very file. */
export async function findServers(databaseFile: string): Promise<number[]> {
  return process.platform === 'linux' ? findInProc(databaseFile) : findByPs(databaseFile);
}

async function findInProc(databaseFile: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry));
  const found = await Promise.all(
    pids.map(async (pid) => {
      // A process may end while we look.
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      const args = line.split('\0');
      return args.includes('start-dev') && args.includes(databaseFile) ? [Number(pid)] : [];
    }),
  );
  return found.flat();
}

async function findByPs(databaseFile: string): Promise<number[]> {
  const list = await outputOf('ps', ['-axww', '-o', 'pid=,command='], 10_000);
  return list
    .split('\n')
    .filter((line) => line.includes(' start-dev ') && line.includes(` ${databaseFile} `))
    .map((line) => Number.parseInt(line, 10));
}
