import { request as httpRequest } from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { birds, startApi, type TestApi } from './support/test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
  await api.call('POST', '/v1/pipelines', { json: birds() });
});
afterAll(() => api.close());

const JSON_TYPE = { 'content-type': 'application/json' };
const YAML_TYPE = { 'content-type': 'application/yaml' };

describe('a body', () => {
  test.each([
    ['malformed JSON', '{"name": ', JSON_TYPE],
    ['an empty text', '', JSON_TYPE],
    ['a JSON string', '"birds"', JSON_TYPE],
    ['null', 'null', JSON_TYPE],
    ['a key twice', '{"name": "a", "name": "b"}', JSON_TYPE],
    ['nested too deeply', '['.repeat(2000) + ']'.repeat(2000), JSON_TYPE],
    ['with a NUL character', JSON.stringify(birds({ name: 'nul', description: 'a\u0000b' })), JSON_TYPE],
    ['with half a character', '{"name": "half", "description": "\\ud800"}', JSON_TYPE],
    ['malformed YAML', 'name: [', YAML_TYPE],
    ['a YAML bomb', bomb(), YAML_TYPE],
    ['of another type', 'name=birds', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['of no type', JSON.stringify(birds()), { 'content-type': '' }],
    ['compressed', JSON.stringify(birds()), { ...JSON_TYPE, 'content-encoding': 'gzip' }],
  ])('when it is %s, is 400 in the form of errors', async (_what, text, headers) => {
    const { status, body } = await api.call('POST', '/v1/pipelines', { text, headers });

    expect(status, JSON.stringify(body)).toBe(400);
    expect(body).toMatchObject({ success: false, error: { code: 'VALIDATION_FAILED', category: 'VALIDATION' } });
  });

  test('when it has 10 MB, is 413 and its sender gets to see it', async () => {
    const text = JSON.stringify(birds({ description: 'x'.repeat(10 * 1024 * 1024) }));

    const { status, body } = await api.call('POST', '/v1/pipelines', { text, headers: JSON_TYPE });

    expect(status).toBe(413);
    expect(body).toMatchObject({ error: { code: 'PAYLOAD_TOO_LARGE' } });
  });

  test('when it comes in chunks without a length, is limited as well', async () => {
    const sent = httpRequest(`${api.url}/v1/pipelines`, { method: 'POST', headers: JSON_TYPE });
    const answered = new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
      sent.on('error', reject);
      sent.on('response', (response) => {
        void textOf(response).then((body) => {
          resolve({ status: response.statusCode, body });
        });
      });
    });
    for (let i = 0; i < 20; i++) sent.write('x'.repeat(100_000));
    sent.end();

    const { status, body } = await answered;

    expect(status).toBe(413);
    expect(body).toContain('PAYLOAD_TOO_LARGE');
  });

  test('when it is not UTF-8, is 400', async () => {
    const response = await fetch(`${api.url}/v1/pipelines`, {
      method: 'POST',
      headers: JSON_TYPE,
      body: new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]),
    });

    expect(response.status).toBe(400);
  });
});

describe('the body of execute', () => {
  test('when it is left out, starts a run', async () => {
    const { status } = await api.call('POST', '/v1/pipelines/birds/execute');

    expect(status).toBe(202);
  });

  test.each([
    ['an unknown key', { parametres: {} }, 'parametres'],
    ['an unknown key of the interval', { interval: { start: 'x', finish: 'y' } }, 'interval.finish'],
    ['an unknown engine', { engine_override: 'flink' }, 'engine_override'],
    ['an unknown priority', { priority: 'URGENT' }, 'priority'],
    ['an object for a parameter', { parameters: { month: {} } }, 'parameters.month'],
    ['an interval without offsets', interval('2001-01-01T00:00:00', '2001-01-02T00:00:00Z'), 'interval.start'],
    ['an interval that ends first', interval('2001-01-02T00:00:00Z', '2001-01-01T00:00:00Z'), 'interval.end'],
    ['an empty interval', interval('2001-01-01T01:00:00+01:00', '2001-01-01T00:00:00Z'), 'interval.end'],
    ['an interval of year 0', interval('0000-01-01T00:00:00Z', '2001-01-01T00:00:00Z'), 'interval.start'],
  ])('when it has %s, is 400 and names the place', async (_what, json, path) => {
    const startsBefore = api.runs.starts;

    const { status, body } = await api.call('POST', '/v1/pipelines/birds/execute', { json });

    expect(status).toBe(400);
    const { error } = body as { error: { details: { path: string }[] } };
    expect(error.details.map((fault) => fault.path)).toContain(path);
    expect(api.runs.starts).toBe(startsBefore);
  });
});

function interval(start: string, end: string) {
  return { interval: { start, end } };
}

/** Nine levels of ten aliases each: a thousand million values out of a few lines. */
function bomb(): string {
  const lines = ['l0: &l0 [x, x]'];
  for (let level = 1; level <= 9; level++) {
    lines.push(`l${level}: &l${level} [${Array.from({ length: 10 }, () => `*l${level - 1}`).join(', ')}]`);
  }
  return lines.join('\n');
}
