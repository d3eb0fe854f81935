import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StartupError } from '../../../src/startup-error.ts';
import { lockDataDir } from '../../../src/temporal/data-dir-lock.ts';
import { startProgram, type ChildProgram } from '../../support/child-program.ts';

let folder: string;
let holder: ChildProgram | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lock-'));
});
afterEach(async () => {
  await holder?.kill('SIGKILL');
  holder = undefined;
  await rm(folder, { recursive: true, maxRetries: 20, retryDelay: 200 });
});

const hold = (dataDir: string) => startProgram(new URL('programs/hold-data-dir.ts', import.meta.url), [dataDir]);

test('DATA_DIR, when another process has it, is refused at once with its path, its owner and what to do', async () => {
  holder = await hold(folder);
  const startedMs = performance.now();

  const refusal = await lockDataDir(folder).then(() => undefined, String);

  expect(performance.now() - startedMs).toBeLessThan(10_000);
  expect(refusal).toContain(`DATA_DIR ${folder}`);
  expect(refusal).toContain(`process ${holder.pid}`);
  expect(refusal).toContain('another DATA_DIR');
});

test('DATA_DIR, when its owner got SIGKILL, is free at once', async () => {
  for (let round = 0; round < 3; round += 1) {
    holder = await hold(folder);
    await holder.kill('SIGKILL');
  }
  const lock = await lockDataDir(folder);

  expect(lock.dataDir).toBe(folder);
  await lock.release();
});

test('DATA_DIR, when named by a link, is the same folder', async () => {
  const link = `${folder}-link`;
  await symlink(folder, link);
  const lock = await lockDataDir(link);

  expect(lock.dataDir).toBe(folder);
  await expect(hold(folder)).rejects.toThrow('in use by another process');
  await lock.release();
  await rm(link);
});

test('DATA_DIR, when its owner released it, can be locked again', async () => {
  const first = await lockDataDir(folder);
  await expect(lockDataDir(folder)).rejects.toThrow(StartupError);
  await first.release();
  await first.release();

  holder = await hold(folder);
  expect(holder.firstLine).toBe('locked');
});

test('DATA_DIR, when it is no folder, is refused by its name', async () => {
  await writeFile(join(folder, 'file'), '');

  await expect(lockDataDir(join(folder, 'file'))).rejects.toThrow(/^DATA_DIR .*file cannot be used/);
});
