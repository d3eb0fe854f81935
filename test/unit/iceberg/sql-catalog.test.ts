import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommitConflict, parseTableIdentifier, type IcebergCatalog } from '../../../src/engines/iceberg/catalog.ts';
import { creationUpdates } from '../../../src/engines/iceberg/staged-table.ts';
import { Lake } from './lake.ts';

const TABLE = parseTableIdentifier('a.b.t');

let lake: Lake;
let database: DatabaseSync;
beforeEach(async () => {
  lake = await Lake.open();
  database = new DatabaseSync(join(lake.folder, 'catalog.db'));
});
afterEach(async () => {
  database.close();
  await lake.close();
});

async function create(catalog: IcebergCatalog = lake.catalog): Promise<void> {
  const schema = { type: 'struct' as const, fields: [{ id: 1, name: 'id', required: false, type: 'long' }] };
  const staged = await catalog.stageTable(TABLE, { schema, lastColumnId: 1, spec: { 'spec-id': 0, fields: [] } });
  await catalog.commitTable(TABLE, [{ type: 'assert-create' }], creationUpdates(staged.metadata));
}

const setProperty = (key: string, value = '1') => [{ action: 'set-properties' as const, updates: { [key]: value } }];

describe('the SQL catalog', () => {
  it('when a table is made, has a row as JdbcCatalog lays it out, and its namespace', async () => {
    await create();
    const row = database.prepare('SELECT * FROM iceberg_tables').get();
    expect(row).toMatchObject({
      catalog_name: 'matih',
      table_namespace: 'a.b',
      table_name: 't',
      previous_metadata_location: null,
      iceberg_type: 'TABLE',
    });
    expect(row?.['metadata_location']).toMatch(
      /^file:\/\/\/.*\/warehouse\/a\/b\/t\/metadata\/00000-[0-9a-f-]{36}\.metadata\.json$/,
    );
    expect(database.prepare('SELECT namespace FROM iceberg_namespace_properties').get()).toEqual({ namespace: 'a.b' });
    expect(database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'delete' });
  });

  it('when a table is committed to, names the new file and remembers the old one', async () => {
    await create();
    const before = database.prepare('SELECT metadata_location FROM iceberg_tables').get()?.['metadata_location'];
    const { metadata } = await lake.catalog.commitTable(TABLE, [], setProperty('x'));
    const row = database.prepare('SELECT * FROM iceberg_tables').get();
    expect(row?.['metadata_location']).toMatch(/\/00001-[^/]*\.metadata\.json$/);
    expect(row?.['previous_metadata_location']).toBe(before);
    expect(metadata['metadata-log']).toEqual([expect.objectContaining({ 'metadata-file': before })]);
    expect((await lake.metadata('a.b.t')).properties).toEqual({ x: '1' });
  });

  it('when the table is there already, refuses to make it and leaves no file behind', async () => {
    await create();
    const files = await lake.everyFile();
    await expect(create()).rejects.toThrow(CommitConflict);
    expect(await lake.everyFile()).toEqual(files);
  });

  it('when two make the same table at once, lets one of them', async () => {
    const other = lake.openCatalog();
    const ends = await Promise.allSettled([create(), create(other)]);
    expect(ends.map((end) => end.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(ends.find((end) => end.status === 'rejected')?.reason).toBeInstanceOf(CommitConflict);
    await other.close();
  });

  it('when many commit at once, loses none: each is committed or told of the conflict', async () => {
    await create();
    const catalogs = Array.from({ length: 4 }, () => lake.openCatalog());
    let conflicts = 0;
    const writer = async (catalog: IcebergCatalog, name: number) => {
      for (let round = 0; round < 5;) {
        try {
          await catalog.commitTable(TABLE, [], setProperty(`${name}-${round}`));
          round += 1;
        } catch (error) {
          expect(error).toBeInstanceOf(CommitConflict);
          conflicts += 1;
        }
      }
    };
    await Promise.all(catalogs.map(writer));
    expect(Object.keys((await lake.metadata('a.b.t')).properties ?? {})).toHaveLength(20);
    expect(conflicts).toBeGreaterThan(0);
    await Promise.all(catalogs.map((catalog) => catalog.close()));
  });

  it('when a requirement does not hold, commits nothing', async () => {
    await create();
    const wrong = [{ type: 'assert-current-schema-id' as const, 'current-schema-id': 7 }];
    await expect(lake.catalog.commitTable(TABLE, wrong, setProperty('x'))).rejects.toThrow(/assert-current-schema-id/);
    expect((await lake.metadata('a.b.t')).properties).toEqual({});
  });

  it('when another program holds the file, waits without holding up the process', async () => {
    await create();
    database.exec('BEGIN EXCLUSIVE');
    let committed = false;
    const commit = lake.catalog.commitTable(TABLE, [], setProperty('x')).then(() => {
      committed = true;
    });
    await sleep(150);
    expect(committed).toBe(false);
    database.exec('COMMIT');
    await commit;
    expect((await lake.metadata('a.b.t')).properties).toEqual({ x: '1' });
  });

  it('when the name belongs to a view, refuses it in words', async () => {
    await create();
    database.exec("UPDATE iceberg_tables SET iceberg_type = 'VIEW'");
    await expect(lake.hasTable('a.b.t')).rejects.toThrow('a.b.t is a view');
  });
});
