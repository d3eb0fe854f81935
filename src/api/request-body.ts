/**
 * A request's body: read whole up to a limit, then parsed as JSON or YAML by its content type. Own code rather than
 * Express's parsers, since both formats go through the strict parser of documents and since the raw text is what an
 * idempotency key is compared by.
 */
import type { Request } from 'express';
import { ServiceError } from '../errors.ts';

const LIMIT_BYTES = 1024 * 1024;
/** How much of a body that is too large is read and thrown away, so that its sender gets to see the answer. */
const DRAIN_LIMIT_BYTES = 64 * 1024 * 1024;
const TIMEOUT_MS = 30_000;

/**
 * The body's text; empty when there is none.
 * @throws ServiceError PAYLOAD_TOO_LARGE beyond 1 MiB, VALIDATION_FAILED when it is not UTF-8 or does not arrive
 */
export async function readBody(request: Request): Promise<string> {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') {
    throw new ServiceError('VALIDATION_FAILED', 'A compressed body is not supported');
  }
  const timer = setTimeout(() => request.destroy(new Error('The body did not arrive in time')), TIMEOUT_MS);
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes <= LIMIT_BYTES) chunks.push(chunk);
      else if (sizeBytes > DRAIN_LIMIT_BYTES) break;
    }
  } catch {
    throw new ServiceError('VALIDATION_FAILED', 'The body did not arrive whole');
  } finally {
    clearTimeout(timer);
  }
  if (sizeBytes > LIMIT_BYTES) throw new ServiceError('PAYLOAD_TOO_LARGE', 'A body has 1 MiB at most');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new ServiceError('VALIDATION_FAILED', 'The body is not UTF-8');
  }
}

const YAML_TYPES = ['application/yaml', 'application/x-yaml', 'text/yaml', 'text/x-yaml'];

/**
 * The format that the content type names; undefined when it is neither JSON nor YAML.
 * @see RFC 9512 for the YAML types
 */
export function bodyFormat(request: Request): 'json' | 'yaml' | undefined {
  const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (type === 'application/json' || /^application\/[a-z0-9.-]+\+json$/.test(type)) return 'json';
  return YAML_TYPES.includes(type) ? 'yaml' : undefined;
}
