/**
 * A migration that widened columns cannot be put back, or something goes wrong on the way. The catalog, the files and DuckDB
 * are real; a commit that is lost and a process that dies are made by a catalog in between.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { IcebergCatalog } from '../../../src/engines/iceberg/catalog.ts';
import type { FileIo } from '../../../src/engines/iceberg/file-io.ts';
import { currentManifests } from '../../../src/engines/iceberg/live-files.ts';
import type { ManifestFile } from '../../../src/engines/iceberg/manifest-file.ts';
import { currentSchema, currentSnapshot } from '../../../src/engines/iceberg/table-metadata.ts';
import { Lake } from '../iceberg/lake.ts';
import { meddled } from './iceberg-migration.ts';
import { NARROW, WidenedTable } from './widened-tables.ts';

let lake: Lake;
beforeAll(async () => {
  lake = await Lake.open();
});
afterAll(() => lake.close());

describe('a restore of widened columns', () => {
  const K = `2::BIGINT AS k, 1::INTEGER AS part`;
  test.for([
    [
      'longs beyond every int',
      `SELECT 2147483648 + i::BIGINT AS k, 1::INTEGER AS part FROM range(3) AS r(i)`,
      '3 rows written since hold values in k that are no int, such as 2147483648',
    ],
    [
      'a long below every int',
      `SELECT -2147483649::BIGINT AS k, 1::INTEGER AS part`,
      '1 rows written since hold values in k that are no int, such as -2147483649',
    ],
    ['a double with more digits', `SELECT ${K}, 0.1::DOUBLE AS f`, 'hold values in f that are no float, such as 0.1'],
    ['a double beyond every float', `SELECT ${K}, 1e39::DOUBLE AS f`, 'hold values in f that are no float, such as 1e'],
    ['a double next to zero', `SELECT ${K}, 1e-46::DOUBLE AS f`, 'hold values in f that are no float, such as 1e-46'],
    [
      'a decimal with more digits',
      `SELECT ${K}, 10000000.00::DECIMAL(12, 2) AS price`,
      '1 rows written since hold values in price that are no decimal(9, 2), such as 10000000.00',
    ],
    [
      'several of these',
      `SELECT 5000000000::BIGINT AS k, 1::INTEGER AS part, 0.1::DOUBLE AS f`,
      'such as 5000000000; 1 rows written since hold values in f that are no float',
    ],
  ] as const)(
    'when others wrote %s, is refused, names the column, and changes and writes nothing',
    async ([, sql, message]) => {
      const table = await WidenedTable.make(lake);
      await table.add(7);
      await lake.load(table.name, sql);
      const [applied, files] = [await table.metadata(), await lake.everyFile()];
      await expect(table.restore()).rejects.toMatchObject({
        type: 'SchemaConflictError',
        message: expect.stringContaining(message) as string,
      });
      expect(await table.metadata()).toEqual(applied);
      expect(await lake.everyFile()).toEqual(files);
    },
  );

  test.for([
    ['files without field ids', 'no field ids'],
    ['an ORC file', 'ORC data files'],
    ['delete files', 'delete files'],
  ] as const)('when others left %s, is refused in words', async ([what, message]) => {
    const table = await WidenedTable.make(lake);
    await table.add(7);
    const { metadata, io } = await table.loaded();
    const [last] = (await table.files()).filter(({ recordCount }) => recordCount === 1n);
    if (last === undefined) throw new Error('no file');
    if (what === 'an ORC file') await table.addFiles([{ ...last, path: `${last.path}.orc`, format: 'ORC' }]);
    else if (what === 'delete files') {
      const [manifest] = await currentManifests(metadata, io);
      await table.addFiles([], [{ ...manifest, content: 1 } as ManifestFile]);
    } else {
      const path = join(lake.folder, 'warehouse', `${table.name}.plain.parquet`);
      await lake.rows(`COPY (SELECT 8::BIGINT AS k) TO '${path}' (FORMAT parquet)`);
      await table.addFiles([{ ...last, path: `file://${path}` }]);
    }
    const applied = await table.metadata();
    await expect(table.restore()).rejects.toMatchObject({
      type: 'SchemaConflictError',
      message: expect.stringMatching(new RegExp(`not put back.*${message}`)) as string,
    });
    expect(await table.metadata()).toEqual(applied);
  });
});

describe('a restore of widened columns, when others go on or something goes wrong', () => {
  test('and they commit between its look and its commit, has their rows too, and leaves no file of its lost commit', async () => {
    const table = await WidenedTable.make(lake);
    let tries = 0;
    // Of the first one the restore sees nothing when it looks.
    const catalog = meddled(lake.catalog, async (send) => {
      tries += 1;
      if (tries <= 3) await table.add(10 + tries);
      return send();
    });
    await table.restore(catalog);
    expect(tries).toBe(4);
    expect(await table.keys()).toEqual(['0', '1', '2', '3', '4', '5', '11', '12', '13']);
    expect(await table.stored()).toEqual(NARROW);
    expect(await table.orphans()).toBe(0);
  });

  test('and they commit what does not fit in between, is refused and leaves no file', async () => {
    const table = await WidenedTable.make(lake);
    await table.add(10);
    const catalog = meddled(lake.catalog, async (send) => {
      await table.add(5000000000);
      return send();
    });
    await expect(table.restore(catalog)).rejects.toMatchObject({ type: 'SchemaConflictError' });
    expect(await table.keys()).toEqual(['0', '1', '2', '3', '4', '5', '10', '5000000000']);
    expect(await table.orphans()).toBe(0);
  });

  test('and the answer to its commit is lost, finds it and keeps what it names; when the commit was, too, makes it again', async () => {
    for (const happens of [true, false]) {
      const table = await WidenedTable.make(lake);
      await table.add(10);
      let lost = 0;
      const catalog = meddled(lake.catalog, async (send) => {
        if (lost++ > 0) return send();
        if (happens) await send();
        throw new Error('the connection was cut');
      });
      expect(await table.restore(catalog)).toMatchObject({ changed: true });
      expect(lost).toBe(happens ? 1 : 2);
      expect(await table.keys()).toEqual(['0', '1', '2', '3', '4', '5', '10']);
      expect(await table.stored()).toEqual(NARROW);
      expect(currentSnapshot(await table.metadata())?.summary.operation).toBe('replace');
    }
  });

  test('and it is cancelled before its commit, leaves the table as it was migrated, and no file', async () => {
    const table = await WidenedTable.make(lake);
    await table.add(10);
    const applied = await table.metadata();
    const stopped = new AbortController();
    const catalog = meddled(lake.catalog, async (send) => {
      await table.add(11);
      stopped.abort(new Error('enough'));
      return send();
    });
    await expect(table.restore(catalog, stopped.signal)).rejects.toThrow('enough');
    expect(currentSchema(await table.metadata())).toEqual(currentSchema(applied));
    expect(await table.orphans()).toBe(0);
  });

  test('and its process dies at any file or commit, leaves one table or the other; the next attempt restores it', async () => {
    for (let steps = 0, died = true; died; steps += 1) {
      expect(steps).toBeLessThan(40);
      const table = await WidenedTable.make(lake);
      await table.add(10);
      died = await table.restore(dyingAfter(steps)).then(
        () => false,
        () => true,
      );
      const left = currentSchema(await table.metadata())['schema-id'];
      expect([table.before['current-schema-id'], table.before['current-schema-id'] + 1]).toContain(left);
      expect(await table.restore()).toMatchObject({ changed: true });
      expect(currentSchema(await table.metadata())).toEqual(currentSchema(table.before));
      expect(await table.keys()).toEqual(['0', '1', '2', '3', '4', '5', '10']);
      expect(await table.stored()).toEqual(NARROW);
      if (!died) expect(steps).toBeGreaterThan(5);
    }
  });
});

/** The catalog of a process that is killed: nothing that it does to files or the table after so many steps happens. */
function dyingAfter(steps: number): IcebergCatalog {
  let left = steps;
  const live = <T>(step: () => Promise<T>): Promise<T> => {
    left -= 1;
    return left < 0 ? Promise.reject(new Error('killed')) : step();
  };
  const dying = (io: FileIo): FileIo => ({
    read: (uri) => live(() => io.read(uri)),
    write: (uri, content) => live(() => io.write(uri, content)),
    exists: (uri) => live(() => io.exists(uri)),
    list: (folder, signal) => io.list(folder, signal),
    delete: (uri) => live(() => io.delete(uri)),
    newScratchFolder: (folder) => live(() => io.newScratchFolder(folder)),
    publish: (files, signal) => live(() => io.publish(files, signal)),
    localCopy: (uri, folder, signal) => live(() => io.localCopy(uri, folder, signal)),
  });
  return {
    ...meddled(lake.catalog, (send) =>
      live(async () => {
        const answer = await send();
        return live(() => Promise.resolve(answer));
      }),
    ),
    loadTable: (identifier) =>
      live(async () => {
        const table = await lake.catalog.loadTable(identifier);
        return table && { ...table, io: dying(table.io) };
      }),
  };
}
