import { readdir } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EngineFixture } from '../../support/engine-fixture.ts';
import { type Answer, HttpFixture } from '../../support/http-fixture.ts';
import { extract } from './api-extraction.ts';

let fixture: EngineFixture;
beforeAll(async () => {
  fixture = await EngineFixture.create();
});
afterAll(() => fixture.dispose());

const rowsOf = async (answer: Answer, source: Record<string, unknown> = {}, path = '/items') => {
  await using server = await HttpFixture.start(answer);
  return await fixture.rows(await extract(fixture, { url: `${server.url}${path}`, ...source }));
};
const fault = (type: string, message: RegExp) => ({ type, message: expect.stringMatching(message) as string });

/** What an API with five records answers, three at most a time. */
const RECORDS = [1, 2, 3, 4, 5].map((id) => ({ id }));
const IDS = RECORDS.map(({ id }) => ({ id: String(id) }));

describe('records', () => {
  test('an answer, when it is an array of objects, lands with types that fit all of them', async () => {
    await using server = await HttpFixture.start(() => [
      { n: 1, day: '2001-01-01', tag: null, inner: { x: [1] } },
      { n: 2.5, day: '2001-01-02', tag: 'a', more: 'late' },
    ]);
    const dataset = await extract(fixture, { url: server.url });
    expect(dataset.rows).toBe(2);
    expect(await fixture.types(dataset)).toMatchObject({ n: 'DOUBLE', day: 'DATE', tag: 'VARCHAR', more: 'VARCHAR' });
    expect(await readdir(new URL(dataset.uri))).toEqual(['part-0.parquet']);
  });

  test('records, when they stand deep in the answer, are found by records_path', async () => {
    expect(await rowsOf(() => ({ data: { 'a.b': RECORDS } }), { records_path: 'data.a.b' })).toEqual(IDS);
  });

  test('whole numbers, when they are wider than those of JavaScript, keep every digit', async () => {
    const answer: Answer = (_, response) => {
      response.end('[{"id":9007199254740993,"x":0.5},{"id":-9007199254740995,"x":1e3}]');
    };
    expect(await rowsOf(answer)).toMatchObject([{ id: '9007199254740993' }, { id: '-9007199254740995' }]);
  });

  test('numbers, when their columns are decimals, are those that were written', async () => {
    await using server = await HttpFixture.start((_, response) => {
      response.end('[{"paid":12345678901234567.89,"rate":0.12345678901234567890,"n":1.5},{"paid":1,"rate":0.5,"n":2}]');
    });
    const columns = { paid: 'DECIMAL(20,2)', rate: 'DECIMAL(38,20)', n: 'DOUBLE' };
    const dataset = await extract(fixture, { url: server.url, columns });
    expect(await fixture.rows(dataset)).toEqual([
      { paid: '12345678901234567.89', rate: '0.12345678901234567890', n: 1.5 },
      { paid: '1.00', rate: '0.50000000000000000000', n: 2 },
    ]);
  });

  test('a number, when it is beyond those of JavaScript, is not lost', async () => {
    await using server = await HttpFixture.start((_, response) => {
      response.end('[{"n":1e400}]');
    });
    expect(await fixture.rows(await extract(fixture, { url: server.url }))).toEqual([{ n: 'Infinity' }]);
  });

  test.each(['', '"wide":12345678901234567890,'])(
    'records, when they are nested without an end (%s), are refused',
    async (more) => {
      await using server = await HttpFixture.start((_, response) => {
        response.end(`[{${more}"deep":${'['.repeat(100_000)}${']'.repeat(100_000)}}]`);
      });
      await expect(extract(fixture, { url: server.url })).rejects.toMatchObject({
        type: 'ValidationError',
        message: 'the answer has records that are nested too deeply',
      });
    },
  );

  test('an answer, when it is packed with gzip, is unpacked', async () => {
    const answer: Answer = (_, response) => {
      response.setHeader('content-encoding', 'gzip').end(gzipSync(JSON.stringify(RECORDS)));
    };
    expect(await rowsOf(answer)).toEqual(IDS);
  });

  test('a POST, when the source has a body, sends it as JSON with each page', async () => {
    await using server = await HttpFixture.start(({ query }) => (query.get('page') === '1' ? RECORDS : []));
    const dataset = await extract(fixture, {
      url: server.url,
      method: 'POST',
      body: { filter: 'é' },
      pagination: { type: 'page' },
    });
    expect(dataset.rows).toBe(5);
    expect(server.asked.map(({ method, body }) => [method, body])).toEqual([
      ['POST', '{"filter":"é"}'],
      ['POST', '{"filter":"é"}'],
    ]);
    expect(server.asked[0]?.headers['content-type']).toBe('application/json');
  });

  test('records, when the run is for an interval, are those of the interval', async () => {
    await using server = await HttpFixture.start(() => [
      { id: 1, d: '2001-01-01' },
      { id: 2, d: '2001-01-02' },
    ]);
    const interval = { column: 'd', startIso: '2001-01-02T00:00:00Z', endIso: '2001-01-03T00:00:00Z' };
    const dataset = await extract(fixture, { url: server.url }, { interval });
    expect(await fixture.rows(dataset)).toEqual([{ id: '2', d: '2001-01-02' }]);
  });

  test('no records, when columns are named, are a dataset of these columns', async () => {
    await using server = await HttpFixture.start(() => []);
    const dataset = await extract(fixture, { url: server.url, columns: { id: 'BIGINT', name: 'VARCHAR' } });
    expect(dataset.rows).toBe(0);
    expect(await fixture.types(dataset)).toEqual({ id: 'BIGINT', name: 'VARCHAR' });
  });

  test('no records, when no columns are named, fail and say what to do', async () => {
    await expect(rowsOf(() => [])).rejects.toMatchObject(
      fault('ValidationError', /no records.* columns of the source/),
    );
  });

  test.each<[string, Answer, Record<string, unknown>, RegExp]>([
    ['an object without a records_path', () => ({ items: [], total: 0 }), {}, /set records_path .*items, total/],
    ['nothing at records_path', () => ({ items: [] }), { records_path: 'data' }, /what is at data is missing/],
    ['a list of numbers', () => [{ a: 1 }, 2], {}, /record 1 of a page is a number/],
    [
      'a web page',
      (_, response) => void response.setHeader('content-type', 'text/html; x').end('<html>confidential'),
      {},
      /no JSON \(its type is text\/html\); expected JSON$/,
    ],
    ['another encoding', (_, response) => void response.end(Buffer.from([0x22, 0xe9, 0x22])), {}, /no UTF-8/],
    [
      'a value that is not of its column',
      () => [{ id: 'x' }],
      { columns: { id: 'BIGINT' } },
      /the API's records, line 1/,
    ],
  ])('an answer, when it is %s, is a ValidationError', async (_, answer, source, message) => {
    await expect(rowsOf(answer, source)).rejects.toMatchObject(fault('ValidationError', message));
  });

  test('a failed extraction, when it has written records, leaves its folder empty', async () => {
    await using server = await HttpFixture.start(({ query }) => (query.get('page') === '1' ? RECORDS : [1]));
    const outputFolder = await fixture.outputFolder();
    const source = { url: server.url, pagination: { type: 'page' } };
    await expect(extract(fixture, source, { outputFolder })).rejects.toMatchObject({ type: 'ValidationError' });
    expect(await readdir(outputFolder)).toEqual([]);
  });
});

describe('pages', () => {
  test('numbered pages, when one is empty, end there', async () => {
    await using server = await HttpFixture.start(({ query }) => {
      const start = (Number(query.get('p')) - 0) * 3;
      return RECORDS.slice(start, start + 3);
    });
    const pagination = { type: 'page', page_parameter: 'p', first_page: 0, page_size: 3, page_size_parameter: 'n' };
    const dataset = await extract(fixture, { url: `${server.url}/a?x=1`, pagination });
    expect(await fixture.rows(dataset)).toEqual(IDS);
    expect(server.asked.map(({ path }) => path)).toEqual(['/a?x=1&n=3&p=0', '/a?x=1&n=3&p=1', '/a?x=1&n=3&p=2']);
  });

  test('offsets, when the API gives less than was asked for, miss nothing', async () => {
    await using server = await HttpFixture.start(({ query }) => {
      const start = Number(query.get('offset'));
      return RECORDS.slice(start, start + 2);
    });
    const dataset = await extract(fixture, { url: server.url, pagination: { type: 'offset', page_size: 100 } });
    expect(await fixture.rows(dataset)).toEqual(IDS);
    expect(server.asked.map(({ path }) => path)).toEqual([
      '/?limit=100&offset=0',
      '/?limit=100&offset=2',
      '/?limit=100&offset=4',
      '/?limit=100&offset=5',
    ]);
  });

  test('cursors, when a page has none, end there, though a page between was empty', async () => {
    const pages: Record<string, unknown> = {
      '': { items: RECORDS.slice(0, 3), meta: { next: 'a&b' } },
      'a&b': { items: [], meta: { next: 12 } },
      12: { items: RECORDS.slice(3), meta: { next: null } },
    };
    await using server = await HttpFixture.start(({ query }) => pages[query.get('cursor') ?? '']);
    const pagination = { type: 'cursor', cursor_path: 'meta.next' };
    const dataset = await extract(fixture, { url: server.url, records_path: 'items', pagination });
    expect(await fixture.rows(dataset)).toEqual(IDS);
    expect(server.asked).toHaveLength(3);
  });

  test('a cursor, when it comes again, fails instead of reading for ever', async () => {
    const answer: Answer = () => ({ items: RECORDS, next: 'again' });
    const source = { records_path: 'items', pagination: { type: 'cursor', cursor_path: 'next' } };
    await expect(rowsOf(answer, source)).rejects.toMatchObject(fault('ValidationError', /same cursor twice/));
  });

  test('links, when the header names the next page, are followed, relative ones from where the answer came', async () => {
    await using server = await HttpFixture.start(({ path }, response) => {
      if (path === '/start') return void response.writeHead(302, { location: '/v2/items' }).end();
      if (path === '/v2/items') {
        response.setHeader('link', '<first,page>; rel="first last"; title="a, b", <items?after=3>; rel="prev next"');
        return RECORDS.slice(0, 3);
      }
      return RECORDS.slice(3);
    });
    const dataset = await extract(fixture, { url: `${server.url}/start`, pagination: { type: 'link' } });
    expect(await fixture.rows(dataset)).toEqual(IDS);
    expect(server.asked.map(({ path }) => path)).toEqual(['/start', '/v2/items', '/v2/items?after=3']);
  });

  test('links, when they stand in the answer, are followed by next_path', async () => {
    const answer: Answer = ({ query }, _, server) =>
      query.has('skip')
        ? { value: RECORDS.slice(3) }
        : { value: RECORDS.slice(0, 3), '@o.next': `${server.url}/?skip=3` };
    const source = { records_path: 'value', pagination: { type: 'link', next_path: '@o.next' } };
    expect(await rowsOf(answer, source)).toEqual(IDS);
  });

  test('a link, when it leads back, fails instead of reading for ever', async () => {
    const answer: Answer = (_, response) => {
      response.setHeader('link', '</items>; rel=next');
      return RECORDS;
    };
    const read = rowsOf(answer, { pagination: { type: 'link' } });
    await expect(read).rejects.toMatchObject(fault('ValidationError', /same page twice/));
  });

  test('pages, when max_pages is reached, end there, and the log says so', async () => {
    fixture.logged.length = 0;
    expect(await rowsOf(() => [{ id: 1 }], { pagination: { type: 'page', max_pages: 3 } })).toHaveLength(3);
    expect(fixture.logged.join('\n')).toMatch(/warn: stopped after 3 pages/);
  });
});
