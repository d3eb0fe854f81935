import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EngineFixture } from '../../support/engine-fixture.ts';
import { type Answer, HttpFixture } from '../../support/http-fixture.ts';
import { extract } from './api-extraction.ts';

let fixture: EngineFixture;
beforeAll(async () => {
  fixture = await EngineFixture.create();
});
afterAll(() => fixture.dispose());

const SECRET = 'hunter2-hunter2';
const HEADERS = { 'X-Token': { value: SECRET, secret: true }, 'X-Plain': { value: 'plain', secret: false } };
const fault = (type: string, message: RegExp) => ({ type, message: expect.stringMatching(message) as string });
const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (_, response) =>
    void response.writeHead(code, headers).end('{"echo":"hunter2-hunter2"}');

describe('refusals', () => {
  test.each([
    [400, 'ValidationError'],
    [401, 'PermissionDeniedError'],
    [403, 'PermissionDeniedError'],
    [404, 'ValidationError'],
    [408, 'UnavailableError'],
    [500, 'UnavailableError'],
    [502, 'UnavailableError'],
  ])('an API, when it answers %i, fails as %s without what it said or was sent', async (code, type) => {
    await using server = await HttpFixture.start(status(code));
    const read = extract(fixture, { url: `${server.url}/?q=private` }, { headers: HEADERS });
    await expect(read).rejects.toMatchObject(fault(type, new RegExp(`^127.0.0.1:${server.port} answered ${code} `)));
    await expect(read).rejects.not.toMatchObject(fault(type, /hunter2|private/));
    expect(server.asked).toHaveLength(1);
  });

  test('an API, when nobody listens, is an UnavailableError', async () => {
    const server = await HttpFixture.start(() => []);
    await server[Symbol.asyncDispose]();
    await expect(extract(fixture, { url: server.url })).rejects.toMatchObject(
      fault('UnavailableError', /ECONNREFUSED/),
    );
  });

  test('an API, when it breaks off within an answer, is an UnavailableError', async () => {
    await using server = await HttpFixture.start((_, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('[{"id":1}', () => response.destroy());
    });
    await expect(extract(fixture, { url: server.url })).rejects.toMatchObject(fault('UnavailableError', /ECONNRESET/));
  });

  test('an API, when it never ends its answer, is an UnavailableError after the time-out', async () => {
    await using server = await HttpFixture.start((_, response) => void response.write('[', () => undefined));
    const read = extract(fixture, { url: server.url }, { limits: { requestTimeoutMs: 200 } });
    await expect(read).rejects.toMatchObject(fault('UnavailableError', /no whole answer within 0.2 s/));
  });

  test('an answer, when it is larger than a page may be, is a ValidationError', async () => {
    await using server = await HttpFixture.start(() => [{ text: 'x'.repeat(5000) }]);
    const read = extract(fixture, { url: server.url }, { limits: { pageBytes: 1000 } });
    await expect(read).rejects.toMatchObject(fault('ValidationError', /more than 1000 bytes; ask for smaller pages/));
  });

  test('records, when they are more than a source may have, are a ValidationError', async () => {
    await using server = await HttpFixture.start(() => [{ text: 'x'.repeat(500) }]);
    const read = extract(fixture, { url: server.url, pagination: { type: 'page' } }, { limits: { totalBytes: 2000 } });
    await expect(read).rejects.toMatchObject(fault('ValidationError', /more than 2000 bytes of records/));
    expect(server.asked).toHaveLength(4);
  });

  test('a header, when its secret has a line end, is a ValidationError that does not show it', async () => {
    await using server = await HttpFixture.start(() => []);
    const headers = { 'X-Token': { value: 'hunter2\nX: y', secret: true } };
    const read = extract(fixture, { url: server.url }, { headers });
    await expect(read).rejects.toMatchObject(fault('ValidationError', /^headers: a value has characters/));
    expect(server.asked).toHaveLength(0);
  });
});

describe('rate limits', () => {
  test.each([
    ['429 with seconds', status(429, { 'retry-after': '0' })],
    ['503 with a date that passed', status(503, { 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' })],
  ])('an API, when it answers %s, is asked again for the same page', async (_, busy) => {
    await using server = await HttpFixture.start((asked, response, self) =>
      self.asked.length <= 2 ? busy(asked, response, self) : [{ id: 1 }],
    );
    expect((await extract(fixture, { url: server.url })).rows).toBe(1);
    expect(server.asked).toHaveLength(3);
  });

  test('an API, when it asks to wait a second, is not asked before', async () => {
    const times: number[] = [];
    await using server = await HttpFixture.start((asked, response, self) => {
      times.push(performance.now());
      return times.length === 1 ? status(429, { 'retry-after': '1' })(asked, response, self) : [{ id: 1 }];
    });
    await extract(fixture, { url: server.url });
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(990);
  });

  test.each([
    ['longer than it may', '3600', /429 Too Many Requests; it wants 3600 s to pass/, 1],
    ['again and again', '0', /429 Too Many Requests; it was asked 3 times/, 3],
  ])('an API, when it asks to wait %s, is an UnavailableError', async (_, retryAfter, message, asked) => {
    await using server = await HttpFixture.start(status(429, { 'retry-after': retryAfter }));
    const read = extract(fixture, { url: server.url }, { limits: { waits: 2, waitMs: 1000 } });
    await expect(read).rejects.toMatchObject(fault('UnavailableError', message));
    expect(server.asked).toHaveLength(asked);
  });

  test('a wait, when the step is cancelled, ends at once with the reason', async () => {
    const cancel = new AbortController();
    await using server = await HttpFixture.start((asked, response, self) => {
      setTimeout(() => {
        cancel.abort(new Error('cancelled'));
      }, 50);
      return status(429, { 'retry-after': '60' })(asked, response, self);
    });
    const started = performance.now();
    const read = extract(fixture, { url: server.url }, { context: fixture.contextOf(cancel.signal) });
    await expect(read).rejects.toThrow('cancelled');
    expect(performance.now() - started).toBeLessThan(20_000);
  });

  test('a request, when the step is cancelled, ends at once with the reason', async () => {
    const cancel = new AbortController();
    await using server = await HttpFixture.start(() => {
      cancel.abort(new Error('cancelled'));
    });
    const read = extract(fixture, { url: server.url }, { context: fixture.contextOf(cancel.signal) });
    await expect(read).rejects.toThrow('cancelled');
  });
});

describe('redirects', () => {
  test('a redirect, when it stays at the origin, keeps secrets', async () => {
    await using server = await HttpFixture.start(({ path }, response) =>
      path === '/a' ? void response.writeHead(307, { location: '/b' }).end() : [{ id: 1 }],
    );
    await extract(fixture, { url: `${server.url}/a` }, { headers: HEADERS });
    expect(server.asked[1]?.headers).toMatchObject({ 'x-token': SECRET, 'x-plain': 'plain' });
  });

  test('a redirect, when it leads to another origin and back, sends secrets to neither', async () => {
    await using home: HttpFixture = await HttpFixture.start(({ path }, response) =>
      path === '/start' ? void response.writeHead(302, { location: `${away.url}/` }).end() : [{ id: 1 }],
    );
    await using away: HttpFixture = await HttpFixture.start(
      (_, response) => void response.writeHead(302, { location: `${home.url}/end` }).end(),
    );
    const headers = { ...HEADERS, Authorization: { value: 'Basic written-out', secret: false } };
    await extract(fixture, { url: `${home.url}/start` }, { headers });
    expect(home.asked[0]?.headers).toMatchObject({ 'x-token': SECRET, authorization: 'Basic written-out' });
    for (const asked of [away.asked[0], home.asked[1]]) {
      expect(asked?.headers).toMatchObject({ 'x-plain': 'plain' });
      expect(asked?.headers).not.toHaveProperty('x-token');
      expect(asked?.headers).not.toHaveProperty('authorization');
    }
  });

  test('a link to the next page, when it is at another origin, gets no secret', async () => {
    await using away = await HttpFixture.start(() => [{ id: 2 }]);
    await using home = await HttpFixture.start((_, response) => {
      response.setHeader('link', `<${away.url}/>; rel="next"`);
      return [{ id: 1 }];
    });
    await extract(fixture, { url: home.url, pagination: { type: 'link' } }, { headers: HEADERS });
    expect(home.asked[0]?.headers).toHaveProperty('x-token');
    expect(away.asked[0]?.headers).not.toHaveProperty('x-token');
  });

  test('redirects, when there are more than five, are a ValidationError', async () => {
    await using server = await HttpFixture.start(
      (_, response, self) => void response.writeHead(302, { location: `/${self.asked.length}` }).end(),
    );
    const read = extract(fixture, { url: server.url });
    await expect(read).rejects.toMatchObject(fault('ValidationError', /redirects more than 5 times/));
    expect(server.asked).toHaveLength(6);
  });

  test('a redirect, when it leads out of the web, is a ValidationError', async () => {
    await using server = await HttpFixture.start(status(302, { location: 'file:///etc/passwd' }));
    const read = extract(fixture, { url: server.url });
    await expect(read).rejects.toMatchObject(fault('ValidationError', /redirects to what is no web address/));
  });
});
