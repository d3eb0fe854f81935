import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';
import type { Subject } from './on-each-database.ts';

export function idempotencySuite(subject: Subject): void {
  const request = (changes: Partial<ReturnType<typeof fresh>> = {}) => ({ ...fresh(), ...changes });
  const fresh = () => ({
    tenant: 'default',
    method: 'POST',
    path: '/v1/pipelines',
    key: randomUUID(),
    bodySha256: 'abc',
    owner: randomUUID(),
  });
  const again = (first: ReturnType<typeof fresh>) => ({ ...first, owner: randomUUID() });
  const age = (key: string, by: string) =>
    subject.database.execute(sql`update idempotency_keys set created_at = created_at - ${by}::interval,
      lease_until = lease_until - ${by}::interval where key = ${key}`);

  test('A key, when twenty requests race with it, is one request’s, and all others wait and get its answer', async () => {
    const { idempotency } = subject.store;
    const first = request();
    const racing = Array.from({ length: 20 }, () => again(first));
    const begun = await Promise.all(racing.map((each) => idempotency.begin(each)));
    expect(begun.filter(({ outcome }) => outcome === 'yours')).toHaveLength(1);
    expect(begun.filter(({ outcome }) => outcome === 'wait')).toHaveLength(19);
    const winner = racing[begun.findIndex(({ outcome }) => outcome === 'yours')] ?? first;
    const body = { zebra: 1, ant: { number: 1.5, text: '\0"' } };
    await idempotency.complete({ ...winner, status: 202, body });
    for (const each of racing) {
      const replayed = await idempotency.begin(each);
      expect(replayed).toEqual({ outcome: 'replay', status: 202, body });
      expect(JSON.stringify('body' in replayed && replayed.body)).toBe(JSON.stringify(body));
    }
  });

  test('A key, when tenant, method or path differ, is another key', async () => {
    const { idempotency } = subject.store;
    const first = request();
    for (const each of [first, { ...first, tenant: 'other' }, { ...first, method: 'PUT' }, { ...first, path: '/x' }]) {
      expect(await idempotency.begin(each)).toMatchObject({ outcome: 'yours' });
    }
  });

  test('A key, when it comes with another body, is refused, before and after the answer', async () => {
    const { idempotency } = subject.store;
    const first = request();
    await idempotency.begin(first);
    expect(await idempotency.begin({ ...again(first), bodySha256: 'xyz' })).toEqual({ outcome: 'different-body' });
    await idempotency.complete({ ...first, status: 204, body: null });
    expect(await idempotency.begin({ ...again(first), bodySha256: 'xyz' })).toEqual({ outcome: 'different-body' });
    expect(await idempotency.begin(again(first))).toEqual({ outcome: 'replay', status: 204, body: null });
  });

  test('A key, when its request was given up, is worked on again at once, with the same reserved id for the same body', async () => {
    const { idempotency } = subject.store;
    const first = request();
    const begun = await idempotency.begin(first);
    await idempotency.release(first);
    const second = again(first);
    expect(await idempotency.begin(second)).toEqual(begun);
    expect(await idempotency.begin(again(first))).toEqual({ outcome: 'wait' });
    await idempotency.release(second);
    const other = await idempotency.begin({ ...again(first), bodySha256: 'xyz' });
    expect(other.outcome).toBe('yours');
    expect(other).not.toEqual(begun);
    expect(await idempotency.begin(again(first))).toEqual({ outcome: 'different-body' });
  });

  test('A key, when the process that works on it was killed, is taken over by one after the lease, with its reserved id', async () => {
    const { idempotency } = subject.store;
    const first = request();
    const begun = await idempotency.begin(first);
    await age(first.key, '16 seconds');
    const racing = Array.from({ length: 6 }, () => again(first));
    const taken = await Promise.all(racing.map((each) => idempotency.begin(each)));
    expect(taken.filter(({ outcome }) => outcome === 'yours')).toEqual([begun]);
    expect(taken.filter(({ outcome }) => outcome === 'wait')).toHaveLength(5);
    // The first one was only slow: what it answers now does not count.
    expect(await idempotency.renew(first)).toBe(false);
    await idempotency.complete({ ...first, status: 500, body: {} });
    await idempotency.release(first);
    expect(await idempotency.begin(again(first))).toEqual({ outcome: 'wait' });
  });

  test('A lease, when it is renewed, lasts on', async () => {
    const { idempotency } = subject.store;
    const first = request();
    await idempotency.begin(first);
    await age(first.key, '10 seconds');
    expect(await idempotency.renew(first)).toBe(true);
    await age(first.key, '10 seconds');
    expect(await idempotency.begin(again(first))).toEqual({ outcome: 'wait' });
  });

  test('A key, when it is older than a day, is a new key, also for another body', async () => {
    const { idempotency } = subject.store;
    const first = request();
    const begun = await idempotency.begin(first);
    await idempotency.complete({ ...first, status: 201, body: {} });
    await age(first.key, '23 hours 59 minutes');
    expect(await idempotency.begin(again(first))).toMatchObject({ outcome: 'replay' });
    await age(first.key, '2 minutes');
    const anew = await idempotency.begin({ ...again(first), bodySha256: 'xyz' });
    expect(anew.outcome).toBe('yours');
    expect(anew).not.toEqual(begun);
  });

  test('Keys, when they are older than a day, are dropped, and the others stay', async () => {
    const { idempotency } = subject.store;
    const [old, young] = [request(), request()];
    await idempotency.begin(old);
    await idempotency.begin(young);
    await age(old.key, '25 hours');
    expect(await idempotency.expire()).toBe(1);
    expect(await idempotency.expire()).toBe(0);
    expect(await idempotency.begin(again(young))).toEqual({ outcome: 'wait' });
  });
}
