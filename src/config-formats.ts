/** The forms that environment variables come in, each from text to a value; messages say what was expected. */
import { isAbsolute, resolve } from 'node:path';
import { isIP } from 'node:net';
import * as z from 'zod';
import { parseDurationMs } from './schemas/duration.ts';

/** All task queues (spec section 2). */
export const TASK_QUEUES = [
  'pipeline-workers',
  'connection-managers',
  'sync-workers',
  'extract',
  'quality',
  'transform',
  'load',
  'backfill',
  'maintenance',
  'notify',
  'control',
] as const;

export type TaskQueue = (typeof TASK_QUEUES)[number];

/** A text that a function reads; `undefined` from it means that the text has another form. */
function parsed<T>(read: (text: string) => T | undefined, expected: string): z.ZodType<T, string> {
  return z.string().transform((text, context) => {
    const value = read(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: `expected ${expected}` });
    return z.NEVER;
  });
}

export function integer(minimum: number, maximum: number): z.ZodType<number, string> {
  return parsed((text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    return value >= minimum && value <= maximum ? value : undefined;
  }, `a whole number from ${minimum} to ${maximum}`);
}

/** Items separated by commas, each by its own schema, none twice; at least one. */
export function list<T>(item: z.ZodType<T, string>): z.ZodType<T[], string> {
  return z
    .string()
    .transform((text) => [...new Set(text.split(',').map((part) => part.trim()))].filter((part) => part !== ''))
    .pipe(z.array(item).min(1, 'expected a list separated by commas'));
}

export const durationInMs = parsed(parseDurationMs, 'a duration such as 30s, 15m, 4h or 90d');

export const name = z.string().regex(/^[\w.-]{1,255}$/, 'expected a name of letters, digits, `_`, `.` and `-`');

/** A path, made absolute from the working folder. */
export const path = z.string().transform((text) => resolve(text));

/** Folders made absolute, and `s3://bucket/prefix` as they are. */
export const fileRoots = parsed((text) => {
  const roots = text.split(/:(?!\/\/)/).filter((part) => part !== '');
  if (roots.length === 0 || roots.some((root) => root.includes('://') && !/^s3:\/\/[^/]/.test(root))) return undefined;
  return roots.map((root) => (root.startsWith('s3://') ? root : resolve(root)));
}, 'folders and s3://bucket/prefix, separated by `:`');

export function urlOf(protocols: string[], example: string): z.ZodType<string, string> {
  return parsed((text) => {
    const url = URL.parse(text);
    if (url === null || !protocols.includes(url.protocol)) return undefined;
    // PostgreSQL's host may be the folder of a socket.
    return url.hostname !== '' || url.searchParams.has('host') ? text : undefined;
  }, `a URL such as ${example}`);
}
export const httpUrl = urlOf(['http:', 'https:'], 'https://host/path');

export const stagingUri = parsed((text) => {
  const url = URL.parse(text);
  if (url?.protocol === 'file:') return url.host === '' && isAbsolute(url.pathname) ? stripSlash(text) : undefined;
  return url?.protocol === 's3:' && url.hostname !== '' ? stripSlash(text) : undefined;
}, 'file:///folder or s3://bucket/prefix');

function stripSlash(uri: string): string {
  return uri.replace(/\/+$/, '');
}

const BYTES_BY_UNIT = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};

/** Bytes, with DuckDB's units: `GB` is 10^9, `GiB` is 2^30. */
export const byteSize = parsed((text) => {
  const [, count, unit = 'B'] = /^(\d+(?:\.\d+)?)\s*([KMGT]?i?B)?$/i.exec(text) ?? [];
  const bytes = Math.floor(Number(count) * BYTES_BY_UNIT[unit.toUpperCase() as keyof typeof BYTES_BY_UNIT]);
  return bytes >= 16e6 && Number.isSafeInteger(bytes) ? bytes : undefined;
}, 'at least 16MB, such as 4GB, 512MB or a number of bytes');

export const taskQueues = list(
  z.enum(TASK_QUEUES, { error: (issue) => `${JSON.stringify(issue.input)} is none of ${TASK_QUEUES.join(', ')}` }),
);

export const mailAddresses = list(z.string().regex(/^[^@\s<>]+@[^@\s<>]+$/, 'expected mail addresses'));

const EGRESS_RULE = /^((\*\.)?[A-Za-z0-9_.-]+|\d+\.\d+\.\d+\.\d+\/\d{1,2}|\[[0-9A-Fa-f:.]+\](\/\d{1,3})?)(:\d{1,5})?$/;
export const egressRules = list(
  parsed(
    (text) => (EGRESS_RULE.test(text) && hasPossibleNumbers(text) ? text : undefined),
    'hosts, addresses or CIDR ranges, such as data.example.com, 10.0.0.0/8 or 10.1.2.3:8080',
  ),
);

/** A port, an address and the length of its prefix that there can be. */
function hasPossibleNumbers(rule: string): boolean {
  const [, bracketed, plain = '', prefix, port = '0'] =
    /^(?:\[([^\]]*)\]|([^/:]*))(?:\/(\d+))?(?::(\d+))?$/.exec(rule) ?? [];
  if (Number(port) > 65_535) return false;
  const isAddress = bracketed !== undefined || /^[\d.]+$/.test(plain);
  const family = isIP(bracketed ?? plain);
  const longest = family === 6 && !/^::ffff:/i.test(bracketed ?? '') ? 128 : 32;
  return (!isAddress || family !== 0) && Number(prefix ?? 0) <= longest;
}

/** A key of HMAC-SHA256 that is shorter than its output weakens it (RFC 7518, section 3.2). */
export const hs256Secret = parsed(
  (text) => (Buffer.byteLength(text) >= 32 ? text : undefined),
  'a secret of 32 bytes at least (RFC 7518, section 3.2), such as `openssl rand -base64 48` makes',
);

/** A JSON object of texts. */
export const sparkProperties = z.string().transform((text, context): Record<string, string> => {
  try {
    return z.record(z.string().startsWith('spark.'), z.string()).parse(JSON.parse(text));
  } catch {
    context.addIssue({ code: 'custom', message: 'expected JSON such as {"spark.executor.memory":"4g"}, all texts' });
    return z.NEVER;
  }
});
