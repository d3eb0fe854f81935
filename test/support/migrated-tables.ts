/**
 * Two Iceberg tables of a service and one PostgreSQL table, a writer that knows of no migration and adds rows to all of them
 * all the while, and what there is to be compared of a table.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import pg from 'pg';
import { Lake } from '../unit/iceberg/lake.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';

const ROWS = `select range::integer as id, (range * 7 % 60)::integer as delay, 'own' as who, 'n' || range as note from range(200)`;
const TABLES = ['lake.one', 'lake.two'] as const;

/** Schema, and rows that were there before. */
export interface TableState {
  columns: string[];
  rows: string;
}

export class MigratedTables implements AsyncDisposable {
  readonly lake: Lake;
  readonly server: PostgresServer;
  readonly db: pg.Client;
  /** Ids that the writer was told are in, by table. */
  readonly written = new Map<string, number[]>();
  #writing: Promise<void> | undefined;
  #stop = false;
  #next = 10_000;

  private constructor(lake: Lake, server: PostgresServer, db: pg.Client) {
    this.lake = lake;
    this.server = server;
    this.db = db;
  }

  static async make(dataDir: string): Promise<MigratedTables> {
    const [lake, server] = await Promise.all([Lake.open(join(dataDir, 'iceberg')), startPostgres()]);
    const db = new pg.Client({ connectionString: server.url });
    await db.connect();
    const tables = new MigratedTables(lake, server, db);
    for (const table of TABLES) await lake.load(table, ROWS);
    await db.query(`create table three (id int primary key, delay int not null default 0, who text, note text);
      create index three_delay on three (delay);
      create table switch (on_ boolean)`);
    await db.query(`insert into three select i, i * 7 % 60, 'own', 'n' || i from generate_series(0, 199) i`);
    return tables;
  }

  async states(): Promise<Record<string, TableState>> {
    const [one, two] = await Promise.all(TABLES.map((table) => this.#iceberg(table)));
    return { one: one ?? NONE, two: two ?? NONE, three: await this.#postgres() };
  }

  async #iceberg(table: string): Promise<TableState> {
    const metadata = await this.lake.metadata(table);
    const schema = metadata.schemas.find((one) => one['schema-id'] === metadata['current-schema-id']);
    const spec = metadata['partition-specs'].find((one) => one['spec-id'] === metadata['default-spec-id']);
    const columns = (schema?.fields ?? []).map((field) => JSON.stringify(field));
    const rows = await this.lake.query(table, `select * from live where who = 'own' order by id`);
    return { columns: [...columns, JSON.stringify(spec?.fields)], rows: hashOf(rows) };
  }

  async #postgres(): Promise<TableState> {
    const { rows: columns } = await this.db.query<{ column: string }>(
      `select format('%s %s %s %s', attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid)) as column
       from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
       where attrelid = 'three'::regclass and attnum > 0 and not attisdropped
       union all select pg_get_indexdef(indexrelid) from pg_index where indrelid = 'three'::regclass
       union all select pg_get_constraintdef(oid) from pg_constraint where conrelid = 'three'::regclass order by 1`,
    );
    const { rows } = await this.db.query(`select * from three where who = 'own' order by id`);
    return { columns: columns.map(({ column }) => column), rows: hashOf(rows) };
  }

  /** Until {@link stopWriting}. What a table does not take now, as its columns are others, it is offered later. */
  startWriting(): void {
    this.#stop = false;
    this.#writing = this.#write();
  }

  async stopWriting(): Promise<void> {
    this.#stop = true;
    await this.#writing;
    this.#writing = undefined;
  }

  async #write(): Promise<void> {
    while (!this.#stop) {
      const id = (this.#next += 1);
      for (const table of TABLES) {
        // As it is called before a migration of the test, and while that is applied, when it is a long.
        for (const delay of ['delay', 'minutes']) {
          const row = `select ${id}::integer as id, 1::integer as ${delay}, 'foreign' as who, 'x' as note`;
          const isIn = await this.lake.load(table, row).then(
            () => true,
            () => false,
          );
          if (!isIn) continue;
          this.#told(table, id);
          break;
        }
      }
      const added = this.db.query('insert into three (id, who) values ($1, $2)', [id, 'foreign']);
      await added.then(
        () => {
          this.#told('three', id);
        },
        () => undefined,
      );
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  #told(table: string, id: number): void {
    this.written.set(table, [...(this.written.get(table) ?? []), id]);
  }

  /** Ids that the writer was told are in, and that are not. */
  async lost(): Promise<number[]> {
    // Before anything is read: what is told meanwhile may be in no answer.
    const written = [...this.written].map(([table, ids]) => [table, [...ids]] as const);
    const there = new Map<string, Set<number>>();
    for (const table of TABLES) {
      const rows = await this.lake.query(table, `select id from live where who = 'foreign'`);
      there.set(table, new Set(rows.map(({ id }) => Number(id))));
    }
    const { rows } = await this.db.query<{ id: number }>(`select id from three where who = 'foreign'`);
    there.set('three', new Set(rows.map(({ id }) => id)));
    return written.flatMap(([table, ids]) => ids.filter((id) => !there.get(table)?.has(id)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopWriting();
    await this.db.end();
    await Promise.all([this.server.stop(), this.lake.close()]);
  }
}

const NONE: TableState = { columns: [], rows: '' };

function hashOf(rows: unknown): string {
  return createHash('sha256').update(JSON.stringify(rows)).digest('hex');
}
