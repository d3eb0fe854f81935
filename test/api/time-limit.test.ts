import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { withinTimeLimit } from '../../src/api/time-limit.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('a handler, when it never answers, is given up with 503', async () => {
  const answer = expect(withinTimeLimit(new Promise(() => undefined))).rejects.toMatchObject({
    code: 'SERVICE_UNAVAILABLE',
  });

  await vi.advanceTimersByTimeAsync(10_000);

  await answer;
});

test('a handler, when it answers in time, leaves no timer behind', async () => {
  await expect(withinTimeLimit(Promise.resolve('done'))).resolves.toBe('done');
  await expect(withinTimeLimit(Promise.reject(new Error('failed')))).rejects.toThrow('failed');

  expect(vi.getTimerCount()).toBe(0);
});
