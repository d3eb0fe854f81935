import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Dataset } from '../../../src/engines/dataset.ts';
import { datasetFiles } from '../../../src/engines/duckdb/dataset-files.ts';
import { EngineFixture } from '../../support/engine-fixture.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipeline-service-dataset-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, maxRetries: 20, retryDelay: 200, force: true });
});

async function referenceTo(path: string): Promise<Dataset> {
  const { size, mtimeNs } = await stat(path, { bigint: true });
  return {
    uri: pathToFileURL(path).href,
    rows: 1,
    bytes: Number(size),
    reference: {
      sha256: createHash('sha256')
        .update(await readFile(path))
        .digest('hex'),
      sizeBytes: Number(size),
      modifiedNs: String(mtimeNs),
    },
  };
}

function inFolder(): Dataset {
  return { uri: pathToFileURL(`${folder}/`).href, rows: 1, bytes: 1 };
}

describe('datasetFiles, when the dataset is a folder', () => {
  test('its Parquet files come in the order of their numbers, nothing else', async () => {
    for (const name of ['part-10.parquet', 'part-2.parquet', 'part-1.parquet', '_SUCCESS', '.part-1.parquet.crc']) {
      await writeFile(join(folder, name), '');
    }
    await mkdir(join(folder, '_temporary'));
    const names = (await datasetFiles(inFolder())).map((path) => basename(path));
    expect(names).toEqual(['part-1.parquet', 'part-2.parquet', 'part-10.parquet']);
  });

  test('without any Parquet file it is refused', async () => {
    await expect(datasetFiles(inFolder())).rejects.toMatchObject({ type: 'ValidationError' });
  });

  test('that is gone it is refused', async () => {
    await rm(folder, { recursive: true, maxRetries: 20, retryDelay: 200 });
    await expect(datasetFiles(inFolder())).rejects.toMatchObject({ type: 'ValidationError' });
  });

  test('somewhere else it is refused', async () => {
    const dataset = { uri: 's3://bucket/run/', rows: 1, bytes: 1 };
    await expect(datasetFiles(dataset)).rejects.toMatchObject({ type: 'UnsupportedError' });
  });
});

describe('datasetFiles, when the dataset is a file by reference', () => {
  test('unchanged or merely touched it is taken', async () => {
    const path = join(folder, 'data.parquet');
    await writeFile(path, 'original');
    const dataset = await referenceTo(path);
    expect(await datasetFiles(dataset)).toEqual([path]);
    await utimes(path, new Date(), new Date('2001-01-01'));
    expect(await datasetFiles(dataset)).toEqual([path]);
  });

  test.each([
    ['other content of the same size', (path: string) => writeFile(path, 'ORIGINAL'), 'has changed'],
    ['more content', (path: string) => writeFile(path, 'original and more'), 'has changed'],
    ['nothing there', (path: string) => rm(path), 'is gone'],
  ])('%s is refused', async (_, change, message) => {
    const path = join(folder, 'data.parquet');
    await writeFile(path, 'original');
    await utimes(path, new Date(), new Date('2001-01-01'));
    const dataset = await referenceTo(path);
    await change(path);
    await expect(datasetFiles(dataset)).rejects.toMatchObject({ type: 'ValidationError' });
    await expect(datasetFiles(dataset)).rejects.toThrow(`data.parquet ${message}`);
  });

  test('changing while a session reads it fails the session', async () => {
    const fixture = await EngineFixture.create();
    try {
      const path = `${fileURLToPath((await fixture.dataset('SELECT 1 AS x')).uri)}part-0.parquet`;
      const inputs = { data: await referenceTo(path) };
      const session = fixture.engine.withSession({ signal: fixture.context.signal, inputs }, async (open) => {
        expect(await open.rowsJson('FROM data')).toEqual([{ x: 1 }]);
        await writeFile(path, 'something else');
      });
      await expect(session).rejects.toThrow('has changed');
    } finally {
      await fixture.dispose();
    }
  });
});
