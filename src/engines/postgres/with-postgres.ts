import pg from 'pg';
import { parseConnectionUrl } from './connection-url.ts';
import { postgresError } from './postgres-error.ts';

const CONNECT_WITHIN_MS = 15_000;
const CANCEL_WITHIN_MS = 5_000;
/** A statement that does not end so soon after it was cancelled loses its connection. */
const ABANDON_AFTER_MS = 3_000;
const END_WITHIN_MS = 2_000;

/**
 * Everything that makes PostgreSQL write values as text in one way, whatever the server's or the user's defaults, and
 * the times after which the server ends a session whose other end no longer answers: a process that was stopped keeps
 * its connections open, and its locks with them.
 */
const SESSION_SETTINGS: Readonly<Record<string, string>> = {
  client_encoding: 'UTF8',
  TimeZone: 'UTC',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  extra_float_digits: '1',
  standard_conforming_strings: 'on',
  statement_timeout: '0',
  idle_in_transaction_session_timeout: '120s',
  tcp_keepalives_idle: '30',
  tcp_keepalives_interval: '10',
  tcp_keepalives_count: '3',
};

/**
 * Connects, runs `use` and disconnects; a transaction left open is rolled back by that. When the signal is aborted, the
 * running statement is cancelled on the server, and the call throws `signal.reason`.
 *
 * @throws EngineError of `postgres-error.ts` for what the server or the connection threw
 */
export async function withPostgres<T>(
  request: { url: string; signal: AbortSignal; settings?: Readonly<Record<string, string>> },
  use: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const { url, signal } = request;
  const config = parseConnectionUrl(url);
  signal.throwIfAborted();
  const client = new pg.Client({
    ...config,
    application_name: 'pipeline-service',
    connectionTimeoutMillis: CONNECT_WITHIN_MS,
    keepAlive: true,
  });
  // Whoever waits for a statement is told; between statements the next one is.
  client.on('error', () => undefined);
  const onAbort = (): void => {
    void cancelStatement(client, config);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await client.connect();
    await applySettings(client, { ...SESSION_SETTINGS, ...request.settings });
    signal.throwIfAborted();
    const result = await use(client);
    signal.throwIfAborted();
    return result;
  } catch (error) {
    signal.throwIfAborted();
    throw ofPostgres(error);
  } finally {
    signal.removeEventListener('abort', onAbort);
    await disconnect(client);
  }
}

async function applySettings(client: pg.Client, settings: Readonly<Record<string, string>>): Promise<void> {
  const names = Object.keys(settings);
  const list = names.map((_, at) => `set_config($${2 * at + 1}, $${2 * at + 2}, false)`);
  await client.query(
    `SELECT ${list.join(', ')}`,
    names.flatMap((name) => [name, settings[name]]),
  );
}

/** What `pg` threw, as an {@link EngineError}; anything else as it is. */
export function ofPostgres(error: unknown): unknown {
  const isOfPostgres =
    error instanceof Error &&
    (error instanceof pg.DatabaseError ||
      'syscall' in error ||
      error instanceof AggregateError ||
      isClientFault(error));
  return isOfPostgres ? postgresError(error) : error;
}

/** Errors of pg itself have no class of their own. */
function isClientFault(error: Error): boolean {
  return /^(Connection terminated|Client (was closed|has encountered)|timeout expired|SASL|SCRAM|The server does not support SSL|Query read timeout)/.test(
    error.message,
  );
}

async function cancelStatement(client: pg.Client, config: pg.ClientConfig): Promise<void> {
  const abandon = setTimeout(() => {
    client.connection.stream.destroy();
  }, ABANDON_AFTER_MS);
  abandon.unref();
  client.once('end', () => {
    clearTimeout(abandon);
  });
  const processId = (client as { processID?: number | null }).processID;
  if (processId === undefined || processId === null) {
    client.connection.stream.destroy();
    return;
  }
  const canceller = new pg.Client({ ...config, connectionTimeoutMillis: CANCEL_WITHIN_MS });
  canceller.on('error', () => undefined);
  try {
    await canceller.connect();
    await canceller.query('SELECT pg_cancel_backend($1)', [processId]);
  } catch {
    // The connection itself is dropped soon, which the server notices at the statement's end.
  } finally {
    await disconnect(canceller);
  }
}

/** Says goodbye; a server that does not listen is left. */
async function disconnect(client: pg.Client): Promise<void> {
  const impatience = setTimeout(() => {
    client.connection.stream.destroy();
  }, END_WITHIN_MS);
  await client.end().catch(() => undefined);
  clearTimeout(impatience);
}
