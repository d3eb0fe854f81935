import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DuckDbEngine } from '../../../src/engines/duckdb/duckdb-engine.ts';

const MEBIBYTE = 1024 * 1024;
const CROSS_JOIN = 'SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE hash(a.range + b.range) % 7 = 3';
/** Does not look whether it was interrupted until it is done, in several seconds. */
const ONE_LONG_CALL = "SELECT levenshtein(repeat('a', 50000), repeat('b', 50000))";

let folder: string;
let engines: DuckDbEngine[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipeline-service-duckdb-'));
  engines = [];
});

afterEach(async () => {
  for (const engine of engines) await engine.close();
  await rm(folder, { recursive: true, maxRetries: 20, retryDelay: 200, force: true });
});

function engineOf(memoryLimitBytes: number): DuckDbEngine {
  const engine = new DuckDbEngine({ memoryLimitBytes, threads: 2, spillFolder: folder });
  engines.push(engine);
  return engine;
}

const never = new AbortController().signal;

/** Bytes that all sessions have on disk. */
async function spilledBytes(): Promise<number> {
  // A session may end while its folder is listed.
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile() && !entry.name.endsWith('.lock'));
  const sizes = await Promise.all(
    files.map(async (file) => (await stat(join(file.parentPath, file.name)).catch(() => undefined))?.size ?? 0),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

describe('a session, when its query needs more than its memory', () => {
  test('a sort spills into a private folder, which goes with the session', async () => {
    const engine = engineOf(64 * MEBIBYTE);
    let mostBytes = 0;
    const timer = setInterval(() => {
      void spilledBytes().then((bytes) => (mostBytes = Math.max(mostBytes, bytes)));
    }, 10);
    const rows = await engine.withSession({ signal: never }, (session) =>
      session.rowsJson(
        `SELECT count(*)::INT AS n, bool_and(h >= before) AS sorted FROM (
           SELECT h, lag(h) OVER () AS before FROM (
             SELECT hash(range) AS h, repeat('x', 40) AS padding FROM range(1500000) ORDER BY h, padding))`,
      ),
    );
    clearInterval(timer);
    expect(rows).toEqual([{ n: 1500000, sorted: true }]);
    expect(mostBytes).toBeGreaterThan(16 * MEBIBYTE);
    expect(await spilledBytes()).toBe(0);
    const [own] = (await readdir(folder)).filter((name) => !name.endsWith('.lock'));
    expect((await stat(join(folder, own ?? ''))).mode & 0o777).toBe(0o700);
    expect(await readdir(join(folder, own ?? ''))).toEqual([]);
  });

  test('what cannot spill fails, with what to do', async () => {
    const query = engineOf(64 * MEBIBYTE).withSession({ signal: never }, (session) =>
      session.rows('SELECT len(list(range)) FROM range(50000000)'),
    );
    await expect(query).rejects.toMatchObject({ name: 'EngineError', type: 'UnavailableError' });
    await expect(query).rejects.toThrow('raise DUCKDB_MEMORY_LIMIT');
  });
});

describe('a session, when it is aborted', () => {
  test('a heavy query ends soon, with the reason', async () => {
    const abort = new AbortController();
    const reason = new Error('cancelled');
    const query = engineOf(256 * MEBIBYTE).withSession({ signal: abort.signal }, async (session) => {
      setTimeout(() => {
        abort.abort(reason);
      }, 200);
      return session.rows(CROSS_JOIN);
    });
    const startedMs = performance.now();
    await expect(query).rejects.toBe(reason);
    expect(performance.now() - startedMs).toBeLessThan(10_000);
  });

  test('one inside a single long call lets go of the caller, and its memory goes when it has ended', async () => {
    const abort = new AbortController();
    const reason = new Error('cancelled');
    const engine = engineOf(64 * MEBIBYTE);
    const startedMs = performance.now();
    const query = engine.withSession({ signal: abort.signal }, (session) => {
      setTimeout(() => {
        abort.abort(reason);
      }, 100);
      return session.rows(ONE_LONG_CALL);
    });
    await expect(query).rejects.toBe(reason);
    expect(performance.now() - startedMs).toBeLessThan(8000);
    expect(await engine.withSession({ signal: never }, (session) => session.rowsJson('SELECT 1 AS one'))).toEqual([
      { one: 1 },
    ]);
  });

  test('nothing more runs in it', async () => {
    const abort = new AbortController();
    const reason = new Error('cancelled');
    const query = engineOf(64 * MEBIBYTE).withSession({ signal: abort.signal }, async (session) => {
      abort.abort(reason);
      await session.run('SELECT 1');
    });
    await expect(query).rejects.toBe(reason);
  });
});

describe('sessions, when there are more than there is memory for', () => {
  test('they wait for each other in the order they came', async () => {
    const engine = engineOf(512 * MEBIBYTE);
    const opened: number[] = [];
    const releases = Array.from({ length: 4 }, () => Promise.withResolvers<undefined>());
    const sessions = releases.map((release, index) =>
      engine.withSession({ signal: never }, async () => {
        opened.push(index);
        await release.promise;
      }),
    );
    // Two start together; which of these is ready first is open.
    await expect.poll(() => opened.toSorted()).toEqual([0, 1]);
    releases[1]?.resolve(undefined);
    await expect.poll(() => opened.slice(2)).toEqual([2]);
    releases[0]?.resolve(undefined);
    await expect.poll(() => opened.slice(2)).toEqual([2, 3]);
    for (const release of releases) release.resolve(undefined);
    await Promise.all(sessions);
  });

  test('all of them together keep to the limit', async () => {
    const engine = engineOf(1024 * MEBIBYTE);
    const limitsOfOpen: unknown[] = [];
    let mostOpen = 0;
    await Promise.all(
      Array.from({ length: 12 }, () =>
        engine.withSession({ signal: never }, async (session) => {
          const [row] = await session.rowsJson("SELECT current_setting('memory_limit') AS at_most");
          limitsOfOpen.push(row?.['at_most']);
          mostOpen = Math.max(mostOpen, limitsOfOpen.length);
          await session.run('SELECT count(*) FROM range(10000000)');
          expect(new Set(limitsOfOpen)).toEqual(new Set(['256.0 MiB']));
          limitsOfOpen.pop();
        }),
      ),
    );
    expect(mostOpen).toBeGreaterThan(1);
    expect(mostOpen).toBeLessThanOrEqual(4);
  });

  test('one that is aborted while it waits leaves the line', async () => {
    const engine = engineOf(64 * MEBIBYTE);
    const abort = new AbortController();
    const reason = new Error('cancelled');
    const release = Promise.withResolvers<undefined>();
    const first = engine.withSession({ signal: never }, () => release.promise);
    const second = engine.withSession({ signal: abort.signal }, () => Promise.resolve('second'));
    const third = engine.withSession({ signal: never }, () => Promise.resolve('third'));
    abort.abort(reason);
    await expect(second).rejects.toBe(reason);
    release.resolve(undefined);
    await first;
    expect(await third).toBe('third');
  });

  test('one that fails to open gives its memory back', async () => {
    const engine = engineOf(64 * MEBIBYTE);
    const inputs = { gone: { uri: `file://${folder}/nowhere/`, rows: 0, bytes: 0 } };
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await expect(engine.withSession({ signal: never, inputs }, () => Promise.resolve())).rejects.toThrow(
        'no Parquet',
      );
    }
    expect(await engine.withSession({ signal: never }, () => Promise.resolve('open'))).toBe('open');
  });
});

describe('the spill folder, when processes come and go', () => {
  test('what a killed process left is removed, what a living one has is not', async () => {
    const living = engineOf(64 * MEBIBYTE);
    await living.withSession({ signal: never }, () => Promise.resolve());
    const livingFolders = await readdir(folder);

    const program = `
      const { DuckDbEngine } = await import(${JSON.stringify(new URL('../../../src/engines/duckdb/duckdb-engine.ts', import.meta.url).href)});
      const engine = new DuckDbEngine({ memoryLimitBytes: ${64 * MEBIBYTE}, threads: 2, spillFolder: ${JSON.stringify(folder)} });
      await engine.withSession({ signal: new AbortController().signal }, async (session) => {
        await session.run('CREATE TABLE big AS SELECT hash(range) AS h, hash(range + 1) AS i FROM range(5000000)');
        console.log('spilled');
        await new Promise((resolve) => setTimeout(resolve, 60_000));
      });`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    expect(await spilledBytes()).toBeGreaterThan(MEBIBYTE);

    const whileItLives = engineOf(64 * MEBIBYTE);
    await whileItLives.withSession({ signal: never }, () => Promise.resolve());
    expect(await spilledBytes()).toBeGreaterThan(MEBIBYTE);

    child.kill('SIGKILL');
    await once(child, 'exit');
    const successor = engineOf(64 * MEBIBYTE);
    await successor.withSession({ signal: never }, () => Promise.resolve());
    expect(await spilledBytes()).toBe(0);
    expect(await readdir(folder)).toEqual(expect.arrayContaining(livingFolders));
    expect((await readdir(folder)).length).toBe(6);
  });

  test('closing the engine leaves nothing', async () => {
    const engine = new DuckDbEngine({ memoryLimitBytes: 64 * MEBIBYTE, threads: 1, spillFolder: folder });
    await engine.withSession({ signal: never }, (session) => session.run('SELECT 1'));
    await engine.close();
    expect(await readdir(folder)).toEqual([]);
    await expect(engine.withSession({ signal: never }, () => Promise.resolve())).rejects.toThrow('shutting down');
  });
});
