/**
 * `X-Idempotency-Key` (spec section 4): per tenant, method and path, for 24 h, the same key and body give the first
 * answer again and start nothing. Requests that race wait for the first one. One that a killed process left is taken
 * over after its lease, under the id that it had reserved, so that what it had made already is found and not made twice.
 */
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError } from '../errors.ts';
import type { IdempotencyKey, OwnedKey } from '../store/idempotency.ts';
import type { Store } from '../store/store.ts';
import { errorAnswer } from './error-answer.ts';
import type { Answer } from './route.ts';

/** A little less than a request may take at all. */
const WAIT_MS = 9000;
const FIRST_POLL_MS = 20;
const LONGEST_POLL_MS = 250;

export interface IdempotentRequest extends IdempotencyKey {
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

/** Does `handle` once for the key, or gives the answer that it gave. */
export async function idempotently(
  { text, requestId, ...key }: IdempotentRequest,
  store: Store['idempotency'],
  handle: (reservedId: string) => Promise<Answer>,
): Promise<Answer & { replayed: boolean }> {
  const owned: OwnedKey = { ...key, owner: randomUUID() };
  const bodySha256 = createHash('sha256').update(text).digest('hex');
  const waitUntilMs = performance.now() + WAIT_MS;
  for (let pollMs = FIRST_POLL_MS; performance.now() < waitUntilMs; pollMs = Math.min(pollMs * 2, LONGEST_POLL_MS)) {
    const begun = await store.begin({ ...owned, bodySha256 });
    switch (begun.outcome) {
      case 'yours':
        return { ...(await answerOnce(owned, store, requestId, () => handle(begun.reservedId))), replayed: false };
      case 'replay':
        return { status: begun.status, body: begun.body, replayed: true };
      case 'different-body':
        throw new ServiceError('CONFLICT', 'This X-Idempotency-Key was used with another body');
      case 'wait':
        await sleep(pollMs);
    }
  }
  throw new ServiceError('SERVICE_UNAVAILABLE', 'The first request with this X-Idempotency-Key is still at work');
}

/** What the caller did wrong is an answer like any other and is kept; what the service could not do is tried again. */
async function answerOnce(
  owned: OwnedKey,
  store: Store['idempotency'],
  requestId: string,
  handle: () => Promise<Answer>,
): Promise<Answer> {
  let answer: Answer;
  try {
    answer = await handle();
  } catch (error) {
    if (!(error instanceof ServiceError) || error.httpStatus >= 500) {
      // Best effort: where the store is away too, the lease ends by itself.
      await store.release(owned).catch(() => undefined);
      throw error;
    }
    answer = { status: error.httpStatus, body: errorAnswer(error, requestId) };
  }
  await store.complete({ ...owned, status: answer.status, body: answer.body ?? null });
  return answer;
}
