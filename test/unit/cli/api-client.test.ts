/** The client against a server that answers what a test wants; the service itself is in test/e2e/cli.test.ts. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { ApiClient } from '../../../src/cli/api-client.ts';

let server: Server;
let calls: IncomingMessage[];

async function serving(...answers: ((response: ServerResponse) => unknown)[]): Promise<ApiClient> {
  calls = [];
  server = createServer((request, response) => {
    answers[Math.min(calls.push(request), answers.length) - 1]?.(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new ApiClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, token: 't0ken' });
}

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const answer = (status: number, body: unknown) => (response: ServerResponse) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
const lost = (response: ServerResponse) => response.destroy();
const refusal = { error: { message: 'Not valid', details: [{ path: 'name', message: 'is required' }] } };

test('a call, when it has an idempotency key and the connection is lost, is made again with the same key', async () => {
  const api = await serving(lost, answer(503, refusal), answer(202, { executionId: 'e1' }));
  expect(await api.execute('p', {}, 'key-1')).toEqual({ executionId: 'e1' });
  expect(calls.map(({ headers }) => headers['x-idempotency-key'])).toEqual(['key-1', 'key-1', 'key-1']);
});

test('a call, when it has no key, is made once', async () => {
  const api = await serving(lost, answer(201, {}));
  await expect(api.create({ type: 'application/json', text: '{}' })).rejects.toThrow(/No service answers/);
  expect(calls).toHaveLength(1);
});

test('a call, when the service refuses it, fails with the message and the faults, at once', async () => {
  const api = await serving(answer(400, refusal));
  await expect(api.execute('p', {}, 'key-1')).rejects.toMatchObject({
    status: 400,
    message: 'Not valid',
    faults: [{ path: 'name', message: 'is required' }],
  });
  expect(calls).toHaveLength(1);
});

test('a call, when there is a token, carries it, and ids are escaped in paths', async () => {
  const api = await serving(answer(200, {}));
  await api.status('pipeline-p-2026-02-12T06:00:00.000Z/../x');
  expect(calls[0]?.url).toBe('/v1/pipelines/workflows/pipeline-p-2026-02-12T06%3A00%3A00.000Z%2F..%2Fx/status');
  expect(calls[0]?.headers.authorization).toBe('Bearer t0ken');
});

test('a call, when somebody else answers at the address, says so', async () => {
  const api = await serving((response) => response.writeHead(200).end('<html>'));
  await expect(api.pipelines(0)).rejects.toThrow(/not as this service does/);
});

test('a call, when the address is none, names the variable', async () => {
  await serving();
  await expect(new ApiClient({ url: 'localhost' }).pipelines(0)).rejects.toThrow(/^PIPELINES_URL localhost: expected/);
});
