/** PostgreSQL by `DATABASE_URL`: a pool in which nothing waits for ever (spec section 4: away is told within 2 s). */
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import { ServiceError } from '../errors.ts';
import type { Connection } from './connection.ts';
import { MIGRATIONS } from './migrations.ts';
import { databaseAway, reasonOf, sqlState } from './store-failure.ts';

const POOL_SIZE = 10;
const CONNECT_WITHIN_MS = 1_000;
/** The server gives a statement up after this long; the client a little later, for a server that is not there any more. */
const STATEMENT_WITHIN_MS = 1_500;
const ANSWER_WITHIN_MS = 1_700;
const TRANSACTION_WITHIN_MS = 1_900;
/** Migrations may wait for another process that applies them, and rewrite tables. */
const MIGRATE_WITHIN_MS = 600_000;
/** Any number, the same in all our processes: who holds it applies the migrations. */
const MIGRATION_LOCK = 8_092_001;

/** Connects, and applies the migrations that the database does not have yet. */
export async function connectPostgres(url: string): Promise<Connection> {
  const connection = { connectionString: url, application_name: 'pipeline-service', keepAlive: true };
  await applyMigrations({ ...connection, connectionTimeoutMillis: CONNECT_WITHIN_MS * 5 });
  const pool = new pg.Pool({
    ...connection,
    max: POOL_SIZE,
    connectionTimeoutMillis: CONNECT_WITHIN_MS,
    statement_timeout: STATEMENT_WITHIN_MS,
    query_timeout: ANSWER_WITHIN_MS,
    idle_in_transaction_session_timeout: TRANSACTION_WITHIN_MS * 5,
  });
  // A connection that was lost is told by the query that needed it; an idle one is replaced by the pool.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  const database = drizzle(pool);
  database.transaction = async (work, config) => {
    const client = await pool.connect().catch((error: unknown) => {
      throw databaseAway(error);
    });
    // Ending the client fails the statement that does not come back and every one after it, the rollback among them.
    const tooLong = setTimeout(() => void client.end(), TRANSACTION_WITHIN_MS);
    let broken = true;
    try {
      const result = await drizzle(client).transaction(work, config);
      broken = false;
      return result;
    } catch (error) {
      broken = !isRefusal(error);
      throw error;
    } finally {
      clearTimeout(tooLong);
      client.release(broken);
    }
  };
  return { database, close: () => pool.end() };
}

/** Whether the connection that this was thrown on is still good. */
function isRefusal(error: unknown): boolean {
  if (error instanceof ServiceError) return error.code !== 'SERVICE_UNAVAILABLE';
  return sqlState(error) !== undefined || (error instanceof Error && sqlState(error.cause) !== undefined);
}

async function applyMigrations(connection: pg.ClientConfig): Promise<void> {
  let client: pg.Client | undefined;
  try {
    client = new pg.Client({ ...connection, statement_timeout: MIGRATE_WITHIN_MS });
    // What is lost is told by the query that needed it.
    client.on('error', () => undefined);
    await client.connect();
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await migrate(drizzle(client), MIGRATIONS);
  } catch (error) {
    throw new ServiceError('SERVICE_UNAVAILABLE', `cannot open the database of DATABASE_URL: ${reasonOf(error)}`);
  } finally {
    // The session's end gives the lock back, also when this process is killed.
    await client?.end().catch(() => undefined);
  }
}
