import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from '../../support/postgres-server.ts';
import { type Changes, FlightsTable, MigrationOfTable, SURROUNDINGS } from './flights-table.ts';

let server: PostgresServer;
let admin: pg.Client;
let table: FlightsTable;

beforeAll(async () => {
  server = await startPostgres();
  admin = new pg.Client({ connectionString: server.url });
  await admin.connect();
  await admin.query(SURROUNDINGS);
  table = await FlightsTable.create(server.url, admin, 'flights');
  await admin.query(`
    CREATE VIEW late AS SELECT id, delay FROM flights;
    CREATE TABLE bookings (flight bigint CONSTRAINT booked REFERENCES flights (id));
    CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER watched BEFORE UPDATE OF code ON flights FOR EACH ROW EXECUTE FUNCTION nothing();
    CREATE POLICY own ON flights USING (mood = 'calm');
    CREATE TABLE parts (a int) PARTITION BY RANGE (a);
    CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (9);
    CREATE TABLE filled (id int PRIMARY KEY WITH (fillfactor = 70), v text);
    CREATE TABLE clustered (id int PRIMARY KEY, v text UNIQUE);
    ALTER TABLE clustered CLUSTER ON clustered_pkey;
    ALTER TABLE clustered REPLICA IDENTITY USING INDEX clustered_pkey;
    CREATE TABLE commented (id int, v text UNIQUE);
    COMMENT ON INDEX commented_v_key IS 'hello';
    CREATE TABLE keyless (id int, v text);
    CREATE ROLE reader LOGIN PASSWORD 'secret';
    GRANT SELECT ON flights TO reader`);
});
afterAll(async () => {
  await admin.end();
  await server.stop();
});

const REFUSED: [string, Changes[number], RegExp][] = [
  ['an unknown column', { op: 'drop_column', column: 'nope' }, /the table has no column nope/],
  ['a column of a view', { op: 'drop_column', column: 'delay' }, /the view late depends on it/],
  ['the type of a column of a view', { op: 'retype_column', column: 'delay', type: 'text' }, /the view late depends/],
  [
    'a column of the primary key',
    { op: 'drop_column', column: 'id' },
    /the foreign key booked of bookings.*the primary key flights_pkey/,
  ],
  ['a key that others refer to', { op: 'drop_constraint', name: 'flights_pkey' }, /the foreign key booked of bookings/],
  ['a column of a trigger', { op: 'retype_column', column: 'code', type: 'varchar(9)' }, /the trigger watched/],
  ['a column of a policy', { op: 'drop_column', column: 'mood' }, /the policy own/],
  ['a column of a generated one', { op: 'drop_column', column: 'airport' }, /the generated column twice/],
  ['the type of a generated column', { op: 'retype_column', column: 'twice', type: 'bigint' }, /is a generated column/],
  [
    'a name that is taken',
    { op: 'rename_column', column: 'note', to: 'code' },
    /"code" of relation "flights" already exists/,
  ],
  ['a column that is there', { op: 'add_column', column: 'note', type: 'int' }, /already exists/],
  ['an unknown type', { op: 'add_column', column: 'x', type: 'nope' }, /there is no type nope/],
  ['a name that is too long', { op: 'add_column', column: 'ä'.repeat(32), type: 'int' }, /64 bytes, and names have 63/],
  ['a serial', { op: 'add_column', column: 'x', type: 'serial' }, /add a column with a default/],
  [
    'a type that is more than one',
    { op: 'add_column', column: 'x', type: 'int; DROP TABLE flights' },
    /no type|syntax error/,
  ],
  ['a type that goes on', { op: 'add_column', column: 'x', type: 'int, DROP COLUMN note' }, /no type|syntax error/],
  [
    'a default of another type',
    { op: 'add_column', column: 'x', type: 'int', default: 'many' },
    /invalid input syntax/,
  ],
  [
    'a default of another type of a column',
    { op: 'set_default', column: 'day', default: 'some' },
    /invalid input syntax/,
  ],
  [
    'a type that nothing casts to',
    { op: 'retype_column', column: 'day', type: 'integer' },
    /cannot be cast automatically/,
  ],
  [
    'an expression of another type',
    { op: 'retype_column', column: 'note', type: 'date', using: 'price' },
    /USING|cannot be cast/,
  ],
  [
    'an expression that ends itself',
    { op: 'retype_column', column: 'note', type: 'text', using: 'note), DROP COLUMN (code' },
    /syntax error/,
  ],
  [
    'an expression that is two statements',
    { op: 'retype_column', column: 'note', type: 'text', using: 'note); DROP TABLE flights; SELECT (1' },
    /syntax error|multiple commands/,
  ],
  [
    'values that do not cast',
    { op: 'retype_column', column: 'code', type: 'int', using: 'code::int' },
    /watched|invalid input syntax/,
  ],
  [
    'a required column that holds nulls',
    { op: 'set_required', column: 'note' },
    /rows of the table have no value in note/,
  ],
  [
    'an index whose name is taken',
    { op: 'add_index', name: 'late', columns: ['day'] },
    /there is a late in the schema/,
  ],
  ['an index of an unknown column', { op: 'add_index', name: 'i', columns: ['nope'] }, /no column nope/],
  ['an index of a constraint', { op: 'drop_index', name: 'flights_code' }, /belongs to the constraint flights_code/],
  ['an unknown index', { op: 'drop_index', name: 'nope' }, /no index nope/],
  ['an unknown constraint', { op: 'drop_constraint', name: 'nope' }, /no constraint nope/],
  [
    'a constraint that is no definition',
    { op: 'add_constraint', name: 'c', definition: 'CHECK (nope > 1)' },
    /"nope" does not exist/,
  ],
  [
    'a constraint that goes on',
    { op: 'add_constraint', name: 'c', definition: 'CHECK (delay > 0), DROP COLUMN note' },
    /one constraint, and nothing after/,
  ],
  [
    'a foreign key that goes on',
    { op: 'add_constraint', name: 'c', definition: 'FOREIGN KEY (airport) REFERENCES airports (id), DROP COLUMN note' },
    /one constraint, and nothing after/,
  ],
  [
    'a constraint that is two statements',
    { op: 'add_constraint', name: 'c', definition: 'CHECK (true); DROP TABLE flights' },
    /multiple commands/,
  ],
  [
    'a foreign key to nowhere',
    { op: 'add_constraint', name: 'c', definition: 'FOREIGN KEY (airport) REFERENCES nowhere (id)' },
    /"nowhere" does not exist/,
  ],
];

test.for(REFUSED)(
  'a migration, when it asks for %s, is refused by validate, which names the change and changes nothing',
  async ([, change, message]) => {
    const before = await table.picture();
    const run = table.migration([{ op: 'set_comment', comment: 'first' }, change]);
    await expect(run.validate()).rejects.toMatchObject({
      type: 'SchemaConflictError',
      message: expect.stringMatching(
        new RegExp(`^changes\\.1 \\(${String(change['op'])}\\): .*(?:${message.source})`, 's'),
      ) as string,
    });
    expect(await table.picture()).toEqual(before);
  },
);

test.for([
  ['late', 'UnsupportedError', /is a view; only plain tables/],
  ['parts', 'UnsupportedError', /is a partitioned table/],
  ['part_1', 'UnsupportedError', /is a partition/],
  ['pg_catalog.pg_class', 'UnsupportedError', /is PostgreSQL's own/],
  ['nowhere', 'ValidationError', /there is no table nowhere/],
  ['a.b.c', 'ValidationError', /expected table or schema.table/],
] as const)('a migration of %s is refused in words', async ([name, type, message]) => {
  const run = new MigrationOfTable(name, server.url, [{ op: 'set_comment', comment: 'x' }], {});
  await expect(run.validate()).rejects.toMatchObject({ type, message: expect.stringMatching(message) as string });
});

test.for<[string, Changes[number], RegExp]>([
  ['filled', { op: 'drop_constraint', name: 'filled_pkey' }, /index filled_pkey could not be put back exactly/],
  ['clustered', { op: 'drop_constraint', name: 'clustered_pkey' }, /clustered_pkey is what CLUSTER or replication/],
  ['commented', { op: 'drop_column', column: 'v' }, /index commented_v_key could not be put back exactly/],
])(
  'a change of %s, which no definition could put back exactly, is refused by validate',
  async ([name, change, message]) => {
    const run = new MigrationOfTable(name, server.url, [change], {});
    await expect(run.validate()).rejects.toMatchObject({
      type: 'SchemaConflictError',
      message: expect.stringMatching(message) as string,
    });
  },
);

test('a primary key, when it is taken back, leaves its columns as they were', async () => {
  const required = async (): Promise<unknown> => {
    const sql = `SELECT attname FROM pg_attribute WHERE attrelid = 'keyless'::regclass AND attnotnull AND attnum > 0`;
    return (await admin.query<{ attname: string }>(sql)).rows;
  };
  const key = { op: 'add_constraint', name: 'pk', definition: 'PRIMARY KEY (id)' };
  const run = new MigrationOfTable('keyless', server.url, [key], {});
  await run.validate();
  await run.apply();
  expect(await required()).toEqual([{ attname: 'id' }]);
  expect(await run.restore()).toMatchObject({ changed: true });
  expect(await required()).toEqual([]);
});

test('a constraint that goes on, when a statement of the user hides it from the trial, is refused by apply', async () => {
  const before = await table.picture();
  const run = table.migration([
    { op: 'sql', sql: 'SELECT 1', undo: 'SELECT 1' },
    { op: 'add_constraint', name: 'c', definition: 'CHECK (delay > -3000), DROP COLUMN note' },
  ]);
  await run.validate();
  await expect(run.apply()).rejects.toMatchObject({
    type: 'SchemaConflictError',
    message: expect.stringMatching(/one constraint, and nothing after/) as string,
  });
  expect(await table.picture()).toEqual(before);
});

test('statements of a user, when they remove rows, are refused by apply, and the rows are there', async () => {
  const before = await table.picture();
  const run = table.migration([{ op: 'sql', sql: 'DELETE FROM flights WHERE id <= 40', undo: 'SELECT 1' }]);
  await expect(run.apply()).rejects.toMatchObject({
    type: 'SchemaConflictError',
    message: expect.stringMatching(/removed 40 rows/) as string,
  });
  expect(await table.picture()).toEqual(before);
});

test('a migration, when its user does not own the table, is refused in words', async () => {
  const url = server.url.replace(/\/\/[^@]+@/, '//reader:secret@');
  const run = table.migration([{ op: 'set_comment', comment: 'x' }], { url });
  await expect(run.validate()).rejects.toMatchObject({
    type: 'PermissionDeniedError',
    message: expect.stringMatching(/does not own public.flights/) as string,
  });
});

test('statements of a user, when they would end the transaction, are refused, and nothing of the migration stays', async () => {
  const before = await table.picture();
  const run = table.migration([
    { op: 'set_comment', column: 'note', comment: 'first' },
    { op: 'sql', sql: 'ALTER TABLE flights ADD COLUMN own int; COMMIT', undo: 'SELECT 1' },
  ]);
  expect((await run.validate()).warnings.join()).toMatch(/changes\.1 \(sql\) is not tried/);
  await expect(run.apply()).rejects.toMatchObject({
    type: 'SchemaConflictError',
    message: expect.stringMatching(/changes\.1 \(sql\)/) as string,
  });
  expect(await table.picture()).toEqual(before);
  expect(await run.restore()).toEqual({ changed: false, notes: [] });
});

test('warnings tell what a retype costs and which values it would not keep', async () => {
  const { warnings, touched } = await table
    .migration([
      { op: 'retype_column', column: 'price', type: 'integer' },
      { op: 'set_required', column: 'delay' },
    ])
    .validate();
  expect(warnings.join('\n')).toMatch(/retyping price writes the whole table anew/);
  expect(warnings.join('\n')).toMatch(/375 rows hold values that integer does not hold as they are/);
  expect(touched).toEqual(['delay', 'price']);
});
