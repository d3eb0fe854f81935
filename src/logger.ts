/**
 * The one log stream: JSON lines by pino on standard output, context first, a constant message second
 * (`logger.info({ executionId }, 'Run started')`). Values under names that hold secrets are left out.
 */
import { pino, type DestinationStream, type Logger } from 'pino';

export type { Logger } from 'pino';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

const SECRET_NAMES = [
  'password',
  'secret',
  'token',
  'apiKey',
  'authorization',
  'cookie',
  'credential',
  'secretAccessKey',
  'sessionToken',
  'connection',
  'databaseUrl',
  'jwtSecret',
  'routingKey',
  'signingSecret',
  'botToken',
  'smtpUrl',
];

/** Pino's paths have no "at any depth": three levels are more than we log. */
const REDACTED_PATHS = ['', '*.', '*.*.'].flatMap((prefix) => SECRET_NAMES.map((name) => prefix + name));

/** @param destination standard output when left out; tests and the demo have their own */
export function createLogger(level: LogLevel, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: REDACTED_PATHS, censor: '[redacted]' },
    serializers: { error: pino.stdSerializers.err },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
