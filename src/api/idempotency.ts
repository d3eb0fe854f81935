/**
 * `X-Idempotency-Key` (spec section 4): per tenant, method and path, for 24 h, the same key and body give the first
 * answer again and start nothing. Requests that race wait for the first one. One that a killed process left is taken
 * over after its lease, under the id that it had reserved, so that what it had made already is found and not made twice.
 */
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import { errorAnswer } from './error-answer.ts';
import type { Answer } from './route.ts';

/** Shorter than a caller waits, so that a retry after a crash takes over within one request of its own. */
const LEASE_MS = 5000;
const WAIT_MS = 9000;
const FIRST_POLL_MS = 20;
const LONGEST_POLL_MS = 250;

/** This process, among those that share the store. */
const OWNER = randomUUID();

export interface IdempotentRequest {
  tenant: string;
  method: string;
  path: string;
  key: string;
  /** The body as it was sent. */
  text: string;
  requestId: string;
}

/** The key that a request carries, if any. */
export function idempotencyKeyOf(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && /^[\u0021-\u007e]{1,255}$/.test(header)) return header;
  throw new ServiceError('VALIDATION_FAILED', 'X-Idempotency-Key has 1 to 255 visible ASCII characters');
}

/** Does `handle` at most once for the key, or answers what it had answered. */
export async function idempotently(
  { text, requestId, ...at }: IdempotentRequest,
  store: Store['idempotency'],
  handle: (reservedId: string) => Promise<Answer>,
): Promise<Answer & { replayed: boolean }> {
  const bodySha256 = createHash('sha256').update(text).digest('hex');
  const waitUntilMs = performance.now() + WAIT_MS;
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 2, LONGEST_POLL_MS)) {
    const claim = await store.claim({ ...at, bodySha256, reservedId: randomUUID(), owner: OWNER, leaseMs: LEASE_MS });
    switch (claim.state) {
      case 'mine':
        return { ...(await answerOnce(at, store, requestId, () => handle(claim.reservedId))), replayed: false };
      case 'answered':
        return { status: claim.status, body: claim.body, replayed: true };
      case 'other-body':
        throw new ServiceError('CONFLICT', 'this X-Idempotency-Key was used with another body');
      case 'busy':
        if (performance.now() + pollMs > waitUntilMs) {
          throw new ServiceError('SERVICE_UNAVAILABLE', 'the first request with this X-Idempotency-Key is still at work');
        }
        await sleep(pollMs);
    }
  }
}
