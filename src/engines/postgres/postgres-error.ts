import { EngineError, type EngineErrorType } from '../../errors.ts';

/**
 * What a class of SQLSTATE (PostgreSQL documentation, appendix A) means for whoever runs the step; a class not named
 * here is a trouble of the server's, which may pass.
 */
const TYPE_BY_CLASS: Readonly<Record<string, EngineErrorType>> = {
  // Data that a type or a constraint refuses.
  '22': 'ValidationError',
  '23': 'ValidationError',
  '28': 'PermissionDeniedError',
  // A database or schema that does not exist.
  '3D': 'ValidationError',
  '3F': 'ValidationError',
  // SQL that does not parse, unknown names.
  '42': 'ValidationError',
  '44': 'ValidationError',
  '0A': 'UnsupportedError',
};
const TYPE_BY_CODE: Readonly<Record<string, EngineErrorType>> = {
  // insufficient_privilege
  '42501': 'PermissionDeniedError',
  // read_only_sql_transaction
  '25006': 'PermissionDeniedError',
  // A table or type that somebody else made in the same moment.
  '42P07': 'UnavailableError',
  '42710': 'UnavailableError',
};

/** Of these the server's own words name a user or a database, which may be part of a secret. */
const WORDS_BY_CLASS: Readonly<Record<string, string>> = {
  '28': 'the server does not let in the user of this connection; compare its user and password',
  '3D': 'the database of this connection does not exist',
};

/**
 * What a step fails with for what `pg` threw. Messages of the server are passed on, unless they name who connects; those of
 * the connection are not, since they name the host and the address may be a secret.
 */
export function postgresError(thrown: unknown): EngineError {
  if (thrown instanceof EngineError) return thrown;
  const code = codeOf(thrown);
  if (code !== undefined && /^[0-9A-Z]{5}$/.test(code) && thrown instanceof Error && 'severity' in thrown) {
    const codeClass = code.slice(0, 2);
    const type = TYPE_BY_CODE[code] ?? TYPE_BY_CLASS[codeClass] ?? 'UnavailableError';
    return new EngineError(type, `PostgreSQL: ${WORDS_BY_CLASS[codeClass] ?? thrown.message} (${code})`);
  }
  const message = thrown instanceof Error ? thrown.message : '';
  if (/password|SASL|SCRAM/i.test(message)) {
    return new EngineError('PermissionDeniedError', 'PostgreSQL: the server asks for another user or password');
  }
  if (/SSL|certificate|TLS/i.test(message) || code?.includes('CERT') === true) {
    return new EngineError('UnavailableError', 'PostgreSQL: no encrypted connection could be made; see sslmode');
  }
  return new EngineError('UnavailableError', `PostgreSQL: the connection failed or was lost (${code ?? 'no answer'})`);
}

function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
}
