/**
 * Idempotency keys (spec section 4): the first request with a key does the work, racing ones wait for its answer, later
 * ones get it again for 24 hours. Who works holds a lease; when it ends without an answer, since the process was killed,
 * the next one takes the work over with the same reserved id, so that it finds what was made already.
 */
import { randomUUID } from 'node:crypto';
import { and, eq, inArray, lt, sql } from 'drizzle-orm';
import type { Database } from './database.ts';
import { idempotencyKeys } from './schema.ts';

/** Whose request it is. */
export interface IdempotencyKey {
  tenant: string;
  method: string;
  path: string;
  key: string;
}

/** `owner` is an id of this one request, not of its process. */
export type OwnedKey = IdempotencyKey & { owner: string };

export type Begun =
  /** Do the work; what it makes takes its id from `reservedId`. */
  | { outcome: 'yours'; reservedId: string }
  | { outcome: 'replay'; status: number; body: unknown }
  | { outcome: 'different-body' }
  /** Somebody works on it: ask again soon. */
  | { outcome: 'wait' };

const LEASE_SECONDS = 15;
const KEPT_HOURS = 24;
const EXPIRED_AT_ONCE = 1_000;
const NOBODY = '';

const NOW = sql`clock_timestamp()`;
const LEASE_UNTIL = sql`clock_timestamp() + ${sql.raw(`interval '${LEASE_SECONDS} seconds'`)}`;
const EXPIRY = sql`clock_timestamp() - ${sql.raw(`interval '${KEPT_HOURS} hours'`)}`;

export function idempotencyRepository(database: Database) {
  return {
    async begin(request: OwnedKey & { bodySha256: string }): Promise<Begun> {
      const { tenant, method, path, key, owner, bodySha256 } = request;
      const fresh = { bodySha256, reservedId: randomUUID(), owner, responseStatus: null, responseBody: null };
      const freshTimes = { leaseUntil: LEASE_UNTIL, createdAt: NOW };
      const values = { tenant, method, path, key, ...fresh, ...freshTimes };
      // Nearly every key is new, and one statement is enough for those.
      const made = await database
        .insert(idempotencyKeys)
        .values(values)
        .onConflictDoNothing()
        .returning({ key: idempotencyKeys.key });
      if (made.length > 0) return { outcome: 'yours', reservedId: fresh.reservedId };
      return database.transaction(async (tx) => {
        const [inserted] = await tx
          .insert(idempotencyKeys)
          .values(values)
          // Locks the row that is there, without changing it, until the end of this transaction.
          .onConflictDoUpdate({ target: PRIMARY_KEY, set: { key } })
          .returning({
            ...COLUMNS,
            expired: sql<boolean>`${idempotencyKeys.createdAt} < ${EXPIRY}`,
            leased: sql<boolean>`${idempotencyKeys.leaseUntil} > ${NOW}`,
          });
        if (inserted === undefined) throw new TypeError('an upsert returned no row');
        if (inserted.reservedId === fresh.reservedId) return { outcome: 'yours', reservedId: fresh.reservedId };
        const sameBody = inserted.bodySha256 === bodySha256;
        const givenUp = inserted.owner === NOBODY && inserted.responseStatus === null;
        if (inserted.expired || (givenUp && !sameBody)) {
          await tx
            .update(idempotencyKeys)
            .set({ ...fresh, ...freshTimes })
            .where(is(request));
          return { outcome: 'yours', reservedId: fresh.reservedId };
        }
        if (!sameBody) return { outcome: 'different-body' };
        if (inserted.responseStatus !== null) {
          return { outcome: 'replay', status: inserted.responseStatus, body: inserted.responseBody };
        }
        if (inserted.leased) return { outcome: 'wait' };
        await tx.update(idempotencyKeys).set({ owner, leaseUntil: LEASE_UNTIL }).where(is(request));
        return { outcome: 'yours', reservedId: inserted.reservedId };
      });
    },

    /** For work that takes longer than a third of the lease, 15 s. False when another has taken it over. */
    async renew(request: OwnedKey): Promise<boolean> {
      const renewed = await database
        .update(idempotencyKeys)
        .set({ leaseUntil: LEASE_UNTIL })
        .where(owned(request))
        .returning({ key: idempotencyKeys.key });
      return renewed.length > 0;
    },

    /** The answer that every request with this key gets from now on. A body is a JSON object or array, or null. */
    async complete(request: OwnedKey & { status: number; body: unknown }): Promise<void> {
      await database
        .update(idempotencyKeys)
        .set({ responseStatus: request.status, responseBody: request.body, owner: NOBODY })
        .where(owned(request));
    },

    /**
     * The work failed for now (5xx): its answer is not kept, and the next request with this key works on it at once. The
     * same body goes on with the same reserved id, as what failed may have made it; another body starts anew.
     */
    async release(request: OwnedKey): Promise<void> {
      await database.update(idempotencyKeys).set({ owner: NOBODY, leaseUntil: NOW }).where(owned(request));
    },

    /** Drops keys that are too old. Answers how many; call again while there are some. */
    async expire(): Promise<number> {
      const old = database
        .select({ ctid: sql`ctid` })
        .from(idempotencyKeys)
        .where(lt(idempotencyKeys.createdAt, EXPIRY))
        .limit(EXPIRED_AT_ONCE);
      const dropped = await database
        .delete(idempotencyKeys)
        .where(inArray(sql`ctid`, old))
        .returning({ key: idempotencyKeys.key });
      return dropped.length;
    },
  };
}

/** Ends all leases: whoever held them is gone, when this process is the only one. */
export async function endLeases(database: Database): Promise<void> {
  await database.update(idempotencyKeys).set({ leaseUntil: NOW });
}

const PRIMARY_KEY = [idempotencyKeys.tenant, idempotencyKeys.method, idempotencyKeys.path, idempotencyKeys.key];
const COLUMNS = {
  bodySha256: idempotencyKeys.bodySha256,
  reservedId: idempotencyKeys.reservedId,
  owner: idempotencyKeys.owner,
  responseStatus: idempotencyKeys.responseStatus,
  responseBody: idempotencyKeys.responseBody,
};

function is({ tenant, method, path, key }: IdempotencyKey) {
  return and(
    eq(idempotencyKeys.tenant, tenant),
    eq(idempotencyKeys.method, method),
    eq(idempotencyKeys.path, path),
    eq(idempotencyKeys.key, key),
  );
}

function owned(request: OwnedKey) {
  return and(is(request), eq(idempotencyKeys.owner, request.owner));
}
