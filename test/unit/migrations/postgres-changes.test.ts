import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from '../../support/postgres-server.ts';
import { type Changes, FlightsTable, ROWS, SURROUNDINGS } from './flights-table.ts';

let server: PostgresServer;
let admin: pg.Client;
let tables = 0;

beforeAll(async () => {
  server = await startPostgres();
  admin = new pg.Client({ connectionString: server.url });
  await admin.connect();
  await admin.query(SURROUNDINGS);
});
afterAll(async () => {
  await admin.end();
  await server.stop();
});

function flights(): Promise<FlightsTable> {
  tables += 1;
  return FlightsTable.create(server.url, admin, `flights_${tables}`);
}

interface Case {
  what: string;
  changes: Changes;
  /** What a row of others has while the changes are applied; '' where it leaves a column out. */
  meanwhile?: Record<string, string>;
  /** What a row of others has before that. */
  earlier?: Record<string, string>;
}

const CASES: Case[] = [
  {
    what: 'a column added',
    changes: [{ op: 'add_column', column: 'gate', type: 'varchar(5)' }],
    meanwhile: { gate: `'B7'` },
  },
  {
    what: 'a column added with default and comment',
    changes: [
      { op: 'add_column', column: 'gate', type: 'numeric(10, 2)[]', default: '{1.5,2}', comment: "it's a gate" },
    ],
  },
  { what: 'a column dropped', changes: [{ op: 'drop_column', column: 'price' }] },
  { what: 'a required column with a default and a check dropped', changes: [{ op: 'drop_column', column: 'delay' }] },
  {
    what: 'a column with a foreign key dropped',
    changes: [
      { op: 'drop_column', column: 'twice' },
      { op: 'drop_column', column: 'airport' },
    ],
  },
  { what: 'a column of a unique constraint dropped', changes: [{ op: 'drop_column', column: 'code' }] },
  { what: 'an identity column dropped', changes: [{ op: 'drop_column', column: 'counted' }] },
  {
    what: 'a column renamed',
    changes: [{ op: 'rename_column', column: 'origin', to: 'from "x"' }],
    meanwhile: { origin: '', '"from ""x"""': `'Y'` },
  },
  {
    what: 'a type widened',
    changes: [{ op: 'retype_column', column: 'delay', type: 'bigint' }],
    meanwhile: { delay: '40' },
  },
  { what: 'an identity widened', changes: [{ op: 'retype_column', column: 'counted', type: 'bigint' }] },
  {
    what: 'a text widened',
    changes: [{ op: 'retype_column', column: 'origin', type: 'text' }],
    meanwhile: { origin: `'Z'` },
  },
  {
    what: 'a type made another, whose values do not tell the old ones',
    changes: [{ op: 'retype_column', column: 'price', type: 'integer' }],
    meanwhile: { price: '3' },
  },
  {
    what: 'a type changed by an expression',
    changes: [
      { op: 'set_default', column: 'delay', default: null },
      { op: 'drop_constraint', name: '$t_sane' },
      { op: 'drop_index', name: '$t_late' },
      { op: 'retype_column', column: 'delay', type: 'text', using: `delay || ' min' || random()` },
    ],
    meanwhile: { delay: `'12'` },
  },
  {
    what: 'a type changed under a check and a partial index',
    changes: [{ op: 'retype_column', column: 'delay', type: 'numeric' }],
    meanwhile: { delay: '5' },
  },
  {
    what: 'a text with collation and storage made another',
    changes: [
      { op: 'retype_column', column: 'carrier', type: 'varchar(100)' },
      { op: 'retype_column', column: 'note', type: 'char(20)' },
    ],
  },
  {
    what: 'an enumeration made text',
    changes: [{ op: 'retype_column', column: 'mood', type: 'text', using: `upper(mood::text)` }],
    meanwhile: { mood: `'busy'` },
  },
  {
    what: 'an instant made a day',
    changes: [
      { op: 'set_default', column: 'seen', default: null },
      { op: 'retype_column', column: 'seen', type: 'date' },
    ],
    meanwhile: { seen: `'2001-02-03'` },
  },
  { what: 'a required column made optional', changes: [{ op: 'set_nullable', column: 'origin' }] },
  {
    what: 'an optional column made required',
    changes: [{ op: 'set_required', column: 'price' }],
    earlier: { price: '2' },
    meanwhile: { price: '1' },
  },
  {
    what: 'defaults set and dropped',
    changes: [
      { op: 'set_default', column: 'delay', default: 12 },
      { op: 'set_default', column: 'note', default: null },
      { op: 'set_default', column: 'mood', default: 'calm' },
    ],
  },
  {
    what: 'comments',
    changes: [
      { op: 'set_comment', comment: "it's all" },
      { op: 'set_comment', column: 'delay', comment: '' },
      { op: 'set_comment', column: 'day', comment: 'UTC' },
    ],
  },
  {
    what: 'indexes added',
    changes: [
      { op: 'add_index', name: '$t_new', columns: ['origin', 'day'] },
      { op: 'add_index', name: '$t_unique', columns: ['id'], unique: true },
    ],
  },
  {
    what: 'indexes dropped',
    changes: [
      { op: 'drop_index', name: '$t_by_day' },
      { op: 'drop_index', name: '$t_once' },
      { op: 'drop_index', name: '$t_late' },
    ],
  },
  {
    what: 'constraints added',
    changes: [
      { op: 'add_constraint', name: '$t_c', definition: 'CHECK (price > 0)' },
      { op: 'add_constraint', name: '$t_f', definition: 'FOREIGN KEY (twice) REFERENCES airports (id)' },
      { op: 'add_constraint', name: '$t_u', definition: 'UNIQUE (id, day)' },
    ],
  },
  {
    what: 'constraints dropped',
    changes: [
      { op: 'drop_constraint', name: '$t_sane' },
      { op: 'drop_constraint', name: '$t_airport' },
      { op: 'drop_constraint', name: '$t_code' },
      { op: 'drop_constraint', name: '$t_pkey' },
    ],
  },
  {
    what: 'statements with their own undo',
    changes: [
      {
        op: 'sql',
        sql: `ALTER TABLE $t ADD COLUMN own int; CREATE TABLE $t_side AS SELECT id FROM $t`,
        undo: `DROP TABLE $t_side; ALTER TABLE $t DROP COLUMN own`,
      },
    ],
  },
  {
    what: 'one name after the other',
    changes: [
      { op: 'drop_column', column: 'price' },
      { op: 'rename_column', column: 'note', to: 'price' },
      { op: 'retype_column', column: 'price', type: 'varchar(40)' },
      { op: 'add_column', column: 'note', type: 'int', default: 3 },
      { op: 'retype_column', column: 'note', type: 'text', using: `'n' || note` },
      { op: 'drop_column', column: 'note' },
      { op: 'set_nullable', column: 'delay' },
      { op: 'retype_column', column: 'delay', type: 'real' },
      { op: 'rename_column', column: 'delay', to: 'late' },
    ],
    meanwhile: { price: `'said'` },
  },
];

function named(changes: Changes, table: string): Changes {
  return JSON.parse(JSON.stringify(changes).replaceAll('$t', table)) as Changes;
}

describe('a migration of a PostgreSQL table', () => {
  test.for(CASES)(
    'of $what, when it is undone, leaves the table exactly as it was with the rows of others; when it is not, nothing hidden',
    async (one) => {
      const table = await flights();
      const run = table.migration(named(one.changes, table.name));
      const before = await table.picture();
      const validated = await run.validate();
      expect(await table.picture(), 'after validate').toEqual(before);
      expect(await run.backUp()).toEqual(await run.backUp());
      await table.write(one.earlier);
      expect(await run.apply()).toMatchObject({ applied: true });
      const applied = await table.picture();
      expect(applied).not.toEqual(before);
      await run.apply();
      expect(await table.picture(), 'after the second apply').toEqual(applied);
      await table.write(one.meanwhile);
      await table.write(one.meanwhile);
      expect(await run.verify()).toEqual({ rows: ROWS + table.writes });
      expect(await run.restore()).toMatchObject({ changed: true });
      await table.write(one.earlier);
      expect(await table.picture(), 'after restore').toEqual(before);
      expect(await run.restore()).toMatchObject({ changed: true });
      await expect(run.apply()).rejects.toMatchObject({ type: 'SchemaConflictError' });
      await run.release();
      await run.release();
      expect(await table.picture(), 'after release').toEqual(before);
      expect(await run.restore()).toMatchObject({ changed: true });
      expect(await table.query('SELECT count(*)::int AS n FROM $t WHERE id > 500')).toEqual([{ n: table.writes }]);
      expect(validated.rows).toBe(ROWS);

      // Once more, for good.
      const again = table.migration(named(one.changes, table.name));
      await again.apply();
      await again.release();
      await again.release();
      await expect(again.restore()).rejects.toMatchObject({ type: 'SchemaConflictError' });
      const { before: left } = await table.migration([{ op: 'set_comment', comment: 'look' }]).validate();
      if (one.changes.every(({ op }) => op !== 'sql')) expect(left).toEqual(validated.after);
      expect(await table.hiddenNames()).toEqual([]);
    },
  );
});
