/**
 * Builds Temporal's CLI, the dev server in it, with Go from the public module proxy. `build/` holds the module that
 * does: the CLI's own go.mod has a `replace`, for which `go install …@version` refuses it.
 */
import { spawn } from 'node:child_process';
import { cp, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { outputOf } from './child-process.ts';
import { tryLock } from './exclusive-lock.ts';
import { cachePlace, checkRuns, CLI_VERSION, type Report } from './temporal-binary.ts';

const PACKAGE = 'github.com/temporalio/cli';
const TIMEOUT_MS = 40 * 60_000;
const REPORT_EVERY_MS = 10_000;
const KEPT_OUTPUT = 2000;

/** @returns the binary, in the cache. @throws Error when there is no Go, or with what it wrote when the build failed */
export async function buildTemporal(cacheDir: string, report: Report): Promise<string> {
  await outputOf('go', ['version'], 20_000);
  const { folder, binary } = await cachePlace(cacheDir);
  const lock = await lockBuild(join(folder, 'build.lock'), report);
  try {
    // Another process may have built it while we waited.
    await checkRuns(binary).catch(() => buildInto(folder, binary, report));
    return binary;
  } finally {
    lock.release();
  }
}

async function lockBuild(file: string, report: Report) {
  for (let waitedMs = 0; ; waitedMs += 1000) {
    const lock = tryLock(file);
    if (lock !== undefined) return lock;
    if (waitedMs >= TIMEOUT_MS) throw new Error(`another process has been building for too long (${file})`);
    if (waitedMs % REPORT_EVERY_MS === 0)
      report(`waiting for another process that builds Temporal: ${clock(waitedMs)} …`);
    await sleep(1000);
  }
}

async function buildInto(folder: string, binary: string, report: Report): Promise<void> {
  // Left by builds that were killed; whoever holds the lock is the only one that builds.
  for (const entry of await readdir(folder)) {
    if (entry.startsWith('build-')) await rm(join(folder, entry), { recursive: true, force: true });
  }
  const temporary = await mkdtemp(join(folder, 'build-'));
  try {
    await cp(fileURLToPath(new URL('build/', import.meta.url)), temporary, { recursive: true });
    await runGo(temporary, report);
    await checkRuns(join(temporary, 'temporal'));
    await rename(join(temporary, 'temporal'), binary);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function runGo(workDir: string, report: Report): Promise<void> {
  const startedMs = performance.now();
  const tell = () => {
    report(`building Temporal with Go, once, 5 to 7 minutes: ${clock(performance.now() - startedMs)} …`);
  };
  tell();
  const ticking = setInterval(tell, REPORT_EVERY_MS);
  const ldflags = `-s -w -X ${PACKAGE}/internal/temporalcli.Version=${CLI_VERSION}`;
  const args = [
    'build',
    '-mod=readonly',
    '-trimpath',
    '-ldflags',
    ldflags,
    '-o',
    'temporal',
    `${PACKAGE}/cmd/temporal`,
  ];
  const go = spawn('go', args, { cwd: workDir, stdio: ['ignore', 'ignore', 'pipe'], timeout: TIMEOUT_MS });
  let output = '';
  go.stderr.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-KEPT_OUTPUT);
  });
  try {
    const code = await new Promise((resolve, reject) => {
      go.once('error', reject).once('close', resolve);
    });
    if (code !== 0) throw new Error(`go build failed:\n${output.trim()}`);
  } finally {
    clearInterval(ticking);
  }
}

/** `2:10` */
function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
