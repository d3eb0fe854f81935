import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LocalStaging } from '../../src/engines/local-staging.ts';

const DAY_MS = 86_400_000;

let parent: string;
let root: string;
let staging: LocalStaging;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'pipeline-service-staging-'));
  root = join(parent, 'staging');
  staging = new LocalStaging(root);
});

afterEach(async () => {
  await rm(parent, { recursive: true, maxRetries: 20, retryDelay: 200, force: true });
});

const run = { tenant: 'acme', pipelineId: 'p1', executionId: 'e1' };
const step = { ...run, step: 'extract:flights' };

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** Makes a whole tree as old as that. */
async function age(folder: string, byMs: number): Promise<void> {
  const then = new Date(Date.now() - byMs);
  for (const entry of await readdir(folder, { recursive: true })) await utimes(join(folder, entry), then, then);
  await utimes(folder, then, then);
}

describe('newAttempt', () => {
  test('an attempt, when it starts, gets an empty folder of its own below its step', async () => {
    const [first, second] = [await staging.newAttempt(step), await staging.newAttempt(step)];
    expect(first.path.startsWith(`${root}/acme/p1/e1/extract-flights/`)).toBe(true);
    expect(first.path.endsWith('/')).toBe(true);
    expect(fileURLToPath(first.uri)).toBe(first.path);
    expect(first.path).not.toBe(second.path);
    expect(await readdir(first.path)).toEqual([]);
  });

  test.each([['..'], ['../../outside'], ['a/b'], ['.'], [''], ['~x'], ['ü'], ['x'.repeat(300)], ['nul\0']])(
    'a tenant, when it is called %j, stays inside and alone',
    async (tenant) => {
      const { path } = await staging.newAttempt({ ...step, tenant });
      const other = await staging.newAttempt({ ...step, tenant: `${tenant}2` });
      expect(path).toMatch(/\/staging\/~[0-9a-f]{40}\/p1\/e1\/extract-flights\/[^/]+\/$/);
      expect(path.split('/p1/')[0]).not.toBe(other.path.split('/p1/')[0]);
      expect(await readdir(parent)).toEqual(['staging']);
    },
  );

  test('folders, when runs around them end all the time, are made all the same', async () => {
    await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        const mine = { ...run, executionId: `e${index}` };
        const { path } = await staging.newAttempt({ ...mine, step: 'quality' });
        await writeFile(join(path, 'part-0.parquet'), '');
        await staging.dropRun(mine);
      }),
    );
    expect(await readdir(root)).toEqual([]);
  });
});

describe('ofJob', () => {
  test('a job, when a second attempt adopts it, has the folder that the first one gave it, with what is in it', async () => {
    const first = await staging.ofJob(step, 'ps-0123456789abcdef0123-g1');
    await writeFile(join(first.path, 'part-0.parquet'), 'rows');
    const second = await staging.ofJob(step, 'ps-0123456789abcdef0123-g1');
    expect(second).toEqual(first);
    expect(first.path).toBe(`${root}/acme/p1/e1/extract-flights/ps-0123456789abcdef0123-g1/`);
    expect(await readdir(second.path)).toEqual(['part-0.parquet']);
    expect((await staging.ofJob(step, 'ps-0123456789abcdef0123-g2')).path).not.toBe(first.path);
  });
});

describe('dropRun', () => {
  test('a run, when it is dropped, goes with all its attempts, and other runs stay', async () => {
    const { path } = await staging.newAttempt(step);
    await writeFile(join(path, 'part-0.parquet'), 'rows');
    const other = await staging.newAttempt({ ...step, executionId: 'e2' });
    await staging.dropRun(run);
    expect(await exists(join(root, 'acme/p1/e1'))).toBe(false);
    expect(await exists(other.path)).toBe(true);
  });

  test('a run, when it was dropped before, may be dropped again', async () => {
    await staging.newAttempt(step);
    await staging.dropRun(run);
    await staging.dropRun(run);
    expect(await readdir(root)).toEqual([]);
  });
});

describe('expire', () => {
  test('runs, when nobody wrote to them for long, are dropped and counted', async () => {
    const old = await staging.newAttempt(step);
    const awkward = await staging.newAttempt({ ...step, tenant: '../x' });
    const young = await staging.newAttempt({ ...step, executionId: 'e2' });
    await age(root, 8 * DAY_MS);
    await mkdir(join(young.path, 'new'));
    expect(await staging.expire(7 * DAY_MS)).toBe(2);
    expect(await exists(old.path)).toBe(false);
    expect(await exists(awkward.path)).toBe(false);
    expect(await exists(young.path)).toBe(true);
    expect(await readdir(root)).toEqual(['acme']);
  });

  test('a run, when one file deep inside was written lately, stays', async () => {
    const { path } = await staging.newAttempt(step);
    await writeFile(join(path, 'part-0.parquet'), 'rows');
    await age(root, 8 * DAY_MS);
    await utimes(join(path, 'part-0.parquet'), new Date(), new Date());
    expect(await staging.expire(7 * DAY_MS)).toBe(0);
    expect(await exists(path)).toBe(true);
  });

  test('a root, when it was never made, has nothing to drop', async () => {
    expect(await staging.expire(DAY_MS)).toBe(0);
  });
});
