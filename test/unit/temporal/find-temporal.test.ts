import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StartupError } from '../../../src/startup-error.ts';
import { buildTemporal } from '../../../src/temporal/build-temporal.ts';
import { findTemporal } from '../../../src/temporal/find-temporal.ts';

const environment = { ...process.env };
let folder: string;
let bin: string;
let cacheDir: string;
let lines: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'find-temporal-'));
  bin = join(folder, 'bin');
  cacheDir = join(folder, 'cache');
  lines = [];
  await mkdir(bin);
  // Only what the test puts there is found, and no download leaves the machine.
  for (const tool of ['sleep', 'chmod']) await symlink(`/bin/${tool}`, join(bin, tool));
  process.env['PATH'] = bin;
  process.env['HTTPS_PROXY'] = 'http://127.0.0.1:1';
});
afterEach(async () => {
  process.env = { ...environment };
  await rm(folder, { recursive: true, maxRetries: 20, retryDelay: 200 });
});

const report = (line: string) => lines.push(line);
const cached = () => join(cacheDir, 'temporal-cli-1.8.2');

async function program(path: string, ...script: string[]): Promise<void> {
  await writeFile(path, ['#!/bin/sh', ...script, ''].join('\n'));
  await chmod(path, 0o755);
}
const temporal = (path: string) => program(path, 'echo "temporal version 9.9.9 (Server 9.9.9)"');

/** A Go whose build takes `seconds`, writes a Temporal, and notes that it was run. */
const go = (seconds: number) =>
  program(
    join(bin, 'go'),
    `[ "$1" = version ] && exit 0`,
    `echo "$@" >> ${folder}/builds`,
    `test -f go.mod && test -f go.sum || exit 1`,
    `sleep ${seconds}`,
    `printf '#!/bin/sh\\necho temporal version 1.8.2\\n' > temporal && chmod +x temporal`,
  );
const builds = async () => (await readFile(join(folder, 'builds'), 'utf8')).trim().split('\n');

describe('a Temporal command', () => {
  test('when one is on the PATH, is that one', async () => {
    await temporal(join(bin, 'temporal'));

    expect(await findTemporal(cacheDir, report)).toBe('temporal');
  });

  test('when one was obtained before, is that one, and nothing is built', async () => {
    await mkdir(cached(), { recursive: true });
    await temporal(join(cached(), 'temporal'));
    await go(0);

    expect(await findTemporal(cacheDir, report)).toBe(join(cached(), 'temporal'));
    expect(lines).toEqual([]);
  });

  test('when the one on the PATH is something else, is not that one', async () => {
    await program(join(bin, 'temporal'), 'echo a calendar');
    await mkdir(cached(), { recursive: true });
    await temporal(join(cached(), 'temporal'));

    expect(await findTemporal(cacheDir, report)).toBe(join(cached(), 'temporal'));
  });

  test('when there is only Go, is built, with a word to whoever waits', async () => {
    await go(0);

    expect(await findTemporal(cacheDir, report)).toBe(join(cached(), 'temporal'));
    expect(lines).toContain('building Temporal with Go, once, 5 to 7 minutes: 0:00 …');
  });

  test('when none can be had, fails and says what was tried and what to install', async () => {
    const failure: unknown = await findTemporal(cacheDir, report).catch((error: unknown) => error);

    expect(failure).toBeInstanceOf(StartupError);
    const { message } = failure as Error;
    for (const part of ['on the PATH', 'obtained before', 'the download', 'a build with Go']) {
      expect(message).toContain(part);
    }
    expect(message).toContain('or set TEMPORAL_ADDRESS');
    expect(await readdir(cached())).toEqual([]);
  });
});

describe('the build', () => {
  test('when two processes need it at once, is made once', async () => {
    await go(0.5);

    const binaries = await Promise.all([buildTemporal(cacheDir, report), buildTemporal(cacheDir, report)]);

    expect(new Set(binaries)).toEqual(new Set([join(cached(), 'temporal')]));
    expect(await builds()).toHaveLength(1);
  });

  test('when an earlier one was killed, leaves nothing of it', async () => {
    await mkdir(join(cached(), 'build-left'), { recursive: true });
    await writeFile(join(cached(), 'build-left', 'temporal'), 'half');
    await go(0);

    await buildTemporal(cacheDir, report);

    expect((await readdir(cached())).sort()).toEqual(['build.lock', 'temporal']);
  });

  test('when Go fails, fails with what Go wrote and leaves no binary', async () => {
    await program(join(bin, 'go'), '[ "$1" = version ] && exit 0', 'echo "go.mod requires go >= 1.26.8" >&2; exit 1');

    await expect(buildTemporal(cacheDir, report)).rejects.toThrow('go.mod requires go >= 1.26.8');
    expect(await readdir(cached())).toEqual(['build.lock']);
  });
});
