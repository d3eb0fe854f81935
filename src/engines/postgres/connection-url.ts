import type { ClientConfig } from 'pg';
import { EngineError } from '../../errors.ts';

const DEFAULT_PORT = 5432;
const SSL_BY_MODE: Readonly<Record<string, ClientConfig['ssl']>> = {
  disable: false,
  allow: false,
  prefer: false,
  // As libpq reads it: encrypted, whoever the server is.
  require: { rejectUnauthorized: false },
  'verify-ca': { rejectUnauthorized: true, checkServerIdentity: () => undefined },
  'verify-full': { rejectUnauthorized: true },
};

export function isPostgresUrl(url: string): boolean {
  return /^postgres(ql)?:\/\//i.test(url);
}

/**
 * A `postgres://` URL as pg's configuration, with nothing left open: pg fills what is missing from the service's own
 * environment (PGPASSWORD and the like), which a pipeline must not be able to use. For the same reason only `sslmode`
 * of the URL's options is taken; others name files of this machine.
 *
 * @throws EngineError `ValidationError` that never repeats the URL, since it may hold a password
 */
export function parseConnectionUrl(url: string): ClientConfig {
  const parsed = URL.canParse(url) && isPostgresUrl(url) ? new URL(url) : undefined;
  if (parsed === undefined || parsed.hostname === '' || parsed.username === '' || parsed.pathname.length < 2) {
    throw fault('expected postgres://user:password@host:port/database');
  }
  const unknown = [...parsed.searchParams.keys()].find((key) => key !== 'sslmode');
  if (unknown !== undefined) throw fault(`${unknown} is not taken; expected no other option than sslmode`);
  const mode = parsed.searchParams.get('sslmode') ?? 'disable';
  if (!Object.hasOwn(SSL_BY_MODE, mode)) throw fault(`sslmode is one of ${Object.keys(SSL_BY_MODE).join(', ')}`);
  const password = decoded(parsed.password);
  return {
    user: decoded(parsed.username),
    // As a function, so that an empty one does not make pg look for another.
    password: () => password,
    host: parsed.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: parsed.port === '' ? DEFAULT_PORT : Number(parsed.port),
    database: decoded(parsed.pathname.slice(1)),
    ssl: SSL_BY_MODE[mode] ?? false,
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw fault('a % in the user, password or database is written %25');
  }
}

function fault(message: string): EngineError {
  return new EngineError('ValidationError', `connection: ${message}`);
}
