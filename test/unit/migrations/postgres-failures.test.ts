import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from '../../support/postgres-server.ts';
import { type Changes, FlightsTable, SURROUNDINGS } from './flights-table.ts';

let server: PostgresServer;
let admin: pg.Client;
let tables = 0;

beforeAll(async () => {
  server = await startPostgres();
  admin = await connect();
  await admin.query(SURROUNDINGS);
});
afterAll(async () => {
  await admin.end();
  await server.stop();
});

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server.url });
  // Some of these are ended by the tests.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

function flights(): Promise<FlightsTable> {
  tables += 1;
  return FlightsTable.create(server.url, admin, `flights_${tables}`);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error('waited too long');
    await sleep(10);
  }
}

/** Whether a session of the service waits for a lock. */
async function isWaiting(): Promise<boolean> {
  const { rowCount } = await admin.query(
    `SELECT FROM pg_stat_activity WHERE application_name = 'pipeline-service' AND wait_event_type = 'Lock'`,
  );
  return rowCount !== 0;
}

const SEVERAL: Changes = [
  { op: 'drop_column', column: 'price' },
  { op: 'retype_column', column: 'delay', type: 'numeric' },
  { op: 'rename_column', column: 'note', to: 'remark' },
];

describe('a migration of a PostgreSQL table, with others at work', () => {
  test('when they insert, update and delete throughout, loses none of what they did', async () => {
    const table = await flights();
    const before = await table.picture();
    const run = table.migration(SEVERAL);
    const [writer, ids] = [await connect(), { last: 10_000 }];
    const working = { on: true };
    const work = (async () => {
      while (working.on) {
        ids.last += 1;
        await writer.query(
          `INSERT INTO ${table.name} (id, day, delay, origin, carrier) VALUES ($1, '2003-01-01', 5, 'W', 'writer')`,
          [ids.last],
        );
        await writer.query(`UPDATE ${table.name} SET delay = delay + 1 WHERE id = $1`, [ids.last]);
        await writer.query(`DELETE FROM ${table.name} WHERE id = $1`, [ids.last - 3]);
        if (ids.last % 5 === 0) await writer.query(`UPDATE ${table.name} SET origin = 'U' WHERE id = $1`, [ids.last]);
      }
    })();
    const progress = async (): Promise<void> => {
      const from = ids.last;
      await until(() => Promise.resolve(ids.last > from + 5));
    };
    await progress();
    await run.backUp();
    await run.apply();
    await progress();
    await run.verify();
    await run.restore();
    await progress();
    working.on = false;
    await work;
    await writer.end();
    expect(await table.picture()).toEqual(before);
    expect(await table.query(`SELECT id::int, delay FROM $t WHERE id > 10000 ORDER BY id`)).toEqual(
      [2, 1, 0].map((ago) => ({ id: ids.last - ago, delay: 6 })),
    );
  });

  test('when they changed a value that was retyped, keeps theirs and puts back all others', async () => {
    const table = await flights();
    const run = table.migration([{ op: 'retype_column', column: 'price', type: 'integer' }]);
    const before = await table.query('SELECT id::int, price FROM $t WHERE id <> 7 ORDER BY id');
    await run.apply();
    await table.query('UPDATE $t SET price = 1000 WHERE id = 7');
    await run.restore();
    expect(await table.query('SELECT id::int, price FROM $t WHERE id <> 7 ORDER BY id')).toEqual(before);
    expect(await table.query('SELECT price FROM $t WHERE id = 7')).toEqual([{ price: '1000.00' }]);
  });

  test.for<{ what: string; changes: Changes; theirs: string; message: RegExp }>([
    {
      what: 'left a column without a value that must have one again',
      changes: [{ op: 'set_nullable', column: 'origin' }],
      theirs: `INSERT INTO $t (id, day, carrier) VALUES (900, '2001-01-01', 'x')`,
      message: /undo of changes\.0 \(set_nullable\): origin must become required again/,
    },
    {
      what: 'left a dropped column without a value that it had no default for',
      changes: [{ op: 'drop_column', column: 'origin' }],
      theirs: `INSERT INTO $t (id, day, carrier) VALUES (900, '2001-01-01', 'x')`,
      message: /undo of changes\.0 \(drop_column\): origin must become required again/,
    },
    {
      what: 'wrote values that only the wider type holds',
      changes: [{ op: 'retype_column', column: 'delay', type: 'bigint' }],
      theirs: `ALTER TABLE $t DISABLE TRIGGER ALL; UPDATE $t SET delay = 99999 WHERE id = 3; ALTER TABLE $t DROP CONSTRAINT $t_sane; UPDATE $t SET delay = 5000000000 WHERE id = 3`,
      message: /others changed since what|integer out of range/,
    },
    {
      what: 'wrote texts that the shorter type would cut',
      changes: [{ op: 'retype_column', column: 'origin', type: 'text' }],
      theirs: `UPDATE $t SET origin = 'longer than ten characters' WHERE id = 3`,
      message: /1 rows written since hold values of origin that character varying\(10\) does not/,
    },
    {
      what: 'wrote what the dropped unique index refused',
      changes: [{ op: 'drop_constraint', name: '$t_code' }],
      theirs: `UPDATE $t SET code = 'same', day = '2009-01-01' WHERE id IN (3, 4)`,
      message: /undo of changes\.0 \(drop_constraint\): could not create unique index/,
    },
    {
      what: 'changed the same column again',
      changes: [{ op: 'set_default', column: 'delay', default: 1 }],
      theirs: `ALTER TABLE $t ALTER delay SET DEFAULT 2`,
      message: /others changed since what the migration changed: column delay/,
    },
    {
      what: 'made a view on a new column',
      changes: [{ op: 'add_column', column: 'gate', type: 'text' }],
      theirs: `CREATE VIEW $t_view AS SELECT gate FROM $t`,
      message: /undo of changes\.0 \(add_column\): cannot drop column gate/,
    },
  ])('when they $what, refuses to restore, says why, and changes nothing', async ({ changes, theirs, message }) => {
    const table = await flights();
    const run = table.migration(JSON.parse(JSON.stringify(changes).replaceAll('$t', table.name)) as Changes);
    await run.apply();
    await table.query(theirs);
    const applied = await table.picture();
    await expect(run.restore()).rejects.toMatchObject({
      type: 'SchemaConflictError',
      message: expect.stringMatching(message) as string,
    });
    expect(await table.picture()).toEqual(applied);
  });

  test('when they added columns and indexes of their own, restores and leaves those', async () => {
    const table = await flights();
    const run = table.migration(SEVERAL);
    await run.apply();
    await table.query('ALTER TABLE $t ADD COLUMN theirs int; CREATE INDEX $t_theirs ON $t (theirs)');
    const { notes } = await run.restore();
    expect(notes.join()).toMatch(/left as it is: column theirs, index \w+_theirs/);
    expect(await table.query('SELECT theirs, price, delay, note FROM $t LIMIT 1')).toHaveLength(1);
  });
});

describe('a migration of a PostgreSQL table, when its process or connection is lost', () => {
  test('at each statement of apply and of restore, is done as a whole or not at all by the next call', async () => {
    const table = await flights();
    const before = await table.picture();
    for (const call of ['apply', 'restore'] as const) {
      // Until a call gets through before it is reached.
      for (let statement = 1; ; statement += 1) {
        const run = table.migration(SEVERAL);
        await run.backUp();
        if (call === 'restore') await run.apply();
        const atMoment = await table.picture();
        const killed = await killedAt(statement, () => run[call]());
        if (killed) expect(await table.picture(), `${call} lost at statement ${statement}`).toEqual(atMoment);
        await run.restore();
        expect(await table.picture(), `restored after ${call} lost at statement ${statement}`).toEqual(before);
        await run.release();
        if (!killed) break;
        // Most of the statements look at catalogs; some of them will do.
        statement += statement > 12 ? 8 : 3;
      }
    }
  }, 120_000);

  test('when an apply still hangs, restore waits for it, and nothing is applied afterwards', async () => {
    const table = await flights();
    const before = await table.picture();
    const run = table.migration(SEVERAL).patient({ patienceMs: 20_000 });
    await run.backUp();
    // As a process that was stopped in the middle: it holds the row, and has changed the table.
    const hanging = await connect();
    await hanging.query('BEGIN');
    await hanging.query('SELECT FROM pipeline_migrations WHERE name = $1 FOR UPDATE', [run.migration.name]);
    await hanging.query(`ALTER TABLE ${table.name} ADD COLUMN half int`);
    const restored = run.restore();
    await until(isWaiting);
    await hanging.query('ROLLBACK');
    await hanging.end();
    expect(await restored).toEqual({ changed: false, notes: [] });
    await expect(run.apply()).rejects.toMatchObject({ type: 'SchemaConflictError' });
    expect(await table.picture()).toEqual(before);
  });

  test('when two apply at once, it is applied once', async () => {
    const table = await flights();
    const run = table.migration(SEVERAL).patient({ patienceMs: 20_000 });
    await run.backUp();
    await Promise.all([run.apply(), run.apply(), run.apply()]);
    expect(await table.hiddenNames()).toHaveLength(3);
  });

  test('when it is aborted while it waits for the table, leaves nothing', async () => {
    const table = await flights();
    const before = await table.picture();
    const reader = await connect();
    await reader.query(`BEGIN; SELECT count(*) FROM ${table.name}`);
    const stopped = new AbortController();
    const run = table.migration(SEVERAL, { signal: stopped.signal }).patient({ lockTimeoutMs: 60_000 });
    await run.backUp();
    const applying = run.apply();
    await until(isWaiting);
    stopped.abort(new Error('the worker shuts down'));
    await expect(applying).rejects.toThrow('the worker shuts down');
    await reader.end();
    expect(await table.picture()).toEqual(before);
  });
});

/** Ends the server's side of the service's connection once it has run so many statements; whether there were so many. */
async function killedAt(statement: number, call: () => Promise<unknown>): Promise<boolean> {
  let count = 0;
  let killed = false;
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its client below
  const spied = pg.Client.prototype.query;
  pg.Client.prototype.query = async function (this: pg.Client & { processID?: number }, ...given: unknown[]) {
    if (this !== admin && !killed) {
      count += 1;
      if (count === statement) {
        killed = true;
        const terminated = (spied as (...all: unknown[]) => unknown).call(admin, 'SELECT pg_terminate_backend($1)', [
          this.processID,
        ]);
        await terminated;
      }
    }
    return (spied as (...all: unknown[]) => unknown).apply(this, given);
  } as never;
  try {
    await call();
    expect(killed, 'a lost connection is an error').toBe(false);
  } catch (error) {
    expect(error).toMatchObject({ type: 'UnavailableError' });
  } finally {
    pg.Client.prototype.query = spied;
  }
  return killed;
}

describe('the lock of a migrated table', () => {
  test('when a long reader holds it, is asked for in short tries, between which the application gets through', async () => {
    const table = await flights();
    const reader = await connect();
    await reader.query(`BEGIN; SELECT count(*) FROM ${table.name}`);
    const run = table.migration(SEVERAL).patient({ lockTimeoutMs: 300, pauseMs: 200 });
    await run.backUp();
    const applied = run.apply();
    await until(() => Promise.resolve(run.said.length > 0));
    // Each of these may wait behind one try, and never for the reader.
    const slowest = { ms: 0 };
    for (let at = 0; at < 20; at += 1) {
      const from = performance.now();
      await table.write();
      slowest.ms = Math.max(slowest.ms, performance.now() - from);
    }
    expect(slowest.ms).toBeLessThan(5_000);
    expect(run.said.join()).toMatch(/others hold the table/);
    await reader.query('COMMIT');
    await reader.end();
    expect(await applied).toMatchObject({ applied: true });
  });

  test('when it is never free, the migration gives up for now, and nothing was changed', async () => {
    const table = await flights();
    const before = await table.picture();
    const reader = await connect();
    await reader.query(`BEGIN; SELECT count(*) FROM ${table.name}`);
    const run = table.migration(SEVERAL).patient({ lockTimeoutMs: 100, pauseMs: 50, patienceMs: 500 });
    // Which waits for nobody.
    await run.validate();
    await expect(run.apply()).rejects.toMatchObject({ type: 'UnavailableError', retryable: true });
    await reader.end();
    expect(await table.picture()).toEqual(before);
  });
});
