/** What a job left in its folder, on the real file system. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { jobOutput } from '../../src/activities/job-output.ts';
import { EngineFixture } from '../support/engine-fixture.ts';

let fixture: EngineFixture;
beforeAll(async () => {
  fixture = await EngineFixture.create();
});
afterAll(() => fixture.dispose());

test('an output, when files lie in folders below it, is refused, and read when those are of an attempt that was given up', async () => {
  const { uri } = await fixture.dataset('SELECT 1 AS n');
  const folder = fileURLToPath(uri);
  const { signal } = new AbortController();
  const readers = { duckdb: fixture.engine, s3: undefined };
  expect(await jobOutput(readers, `${uri}nothing/`, signal)).toBeUndefined();
  for (const name of ['day=1', '_temporary/0', '.spark/day=2']) await mkdir(join(folder, name), { recursive: true });
  for (const name of ['_temporary/0/part-1.parquet', '.spark/day=2/part-2.parquet', 'day=1/notes.txt']) {
    await writeFile(join(folder, name), 'half');
  }
  expect(await jobOutput(readers, uri, signal)).toMatchObject({ rows: 1 });
  await writeFile(join(folder, 'day=1/part-3.parquet'), '');
  await expect(jobOutput(readers, uri, signal)).rejects.toMatchObject({
    type: 'ValidationError',
    message: expect.stringContaining('such as day=1/part-3.parquet') as string,
  });
});
