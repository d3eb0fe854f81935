import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EgressGuard } from '../../../src/engines/egress-guard.ts';
import { EngineFixture } from '../../support/engine-fixture.ts';
import { HttpFixture } from '../../support/http-fixture.ts';
import { extract } from './api-extraction.ts';

let fixture: EngineFixture;
beforeAll(async () => {
  fixture = await EngineFixture.create();
});
afterAll(() => fixture.dispose());

const DENIED = { type: 'PermissionDeniedError', message: expect.stringMatching(/EGRESS_ALLOW/) as string };
const guard = (allow: string[] = [], addresses: string[] = []) =>
  new EgressGuard({
    restricted: true,
    allow,
    resolve: () => Promise.resolve(addresses.map((address) => ({ address }))),
  });

describe('addresses', () => {
  test.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.100.100.200',
    '127.0.0.1',
    '168.63.129.16',
    '169.254.169.254',
    '172.31.255.255',
    '192.168.0.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '2130706433',
    '0x7f.1',
    '[::]',
    '[::1]',
    '[::127.0.0.1]',
    '[::ffff:10.0.0.1]',
    '[64:ff9b::10.0.0.1]',
    '[64:ff9b:1::1]',
    '[2001:db8::1]',
    '[2002:7f00:1::]',
    '[fd00:ec2::254]',
    '[fe80::1]',
    '[ff02::1]',
  ])('%s, when authentication is on and no rule names it, is refused', async (host) => {
    await expect(guard().addressesOf(new URL(`http://${host}/`))).rejects.toMatchObject(DENIED);
  });

  test.each(['8.8.8.8', '172.32.0.1', '[2606:4700::1111]', '[::ffff:8.8.8.8]', '[64:ff9b::808:808]'])(
    '%s, when authentication is on, is allowed',
    async (host) => {
      await expect(guard().addressesOf(new URL(`http://${host}/`))).resolves.toHaveLength(1);
    },
  );

  test.each([['10.0.0.1'], ['fe80::1%eth0'], ['::ffff:127.0.0.1'], ['8.8.8.8', '10.0.0.1']])(
    'a host, when it resolves to %s, is refused',
    async (...addresses) => {
      await expect(guard([], addresses).addressesOf(new URL('https://a.test/'))).rejects.toMatchObject(DENIED);
    },
  );

  test('an address, when the service is open, is allowed whatever it is', async () => {
    const open = new EgressGuard({ restricted: false, allow: [] });
    expect(await open.addressesOf(new URL('http://127.0.0.1/'))).toEqual([{ address: '127.0.0.1', family: 4 }]);
  });

  test('a host, when nobody knows it, is an UnavailableError', async () => {
    const unknown = new EgressGuard({
      restricted: true,
      allow: [],
      resolve: () => Promise.reject(Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' })),
    });
    const asked = unknown.addressesOf(new URL('http://nobody.test/'));
    await expect(asked).rejects.toMatchObject({
      type: 'UnavailableError',
      message: expect.stringMatching(/ENOTFOUND/) as string,
    });
  });
});

describe('rules', () => {
  test.each([
    ['a.test', 'https://a.test/', true],
    ['A.Test', 'https://a.test./', true],
    ['a.test', 'https://b.a.test/', false],
    ['*.a.test', 'https://b.a.test/', true],
    ['*.a.test', 'https://a.test/', false],
    ['*.a.test', 'https://xa.test/', false],
    ['a.test:443', 'https://a.test/', true],
    ['a.test:443', 'https://a.test:8443/', false],
    ['10.0.0.5', 'https://a.test/', true],
    ['10.0.0.5:80', 'https://a.test/', false],
    ['10.0.0.6', 'https://a.test/', false],
    ['10.0.0.0/8', 'https://a.test/', true],
    ['10.1.0.0/16', 'https://a.test/', false],
    ['[fd00::]/8', 'http://[fd12::1]/', true],
    ['[fd00::]/8:8080', 'http://[fd12::1]/', false],
    ['[::1]:8080', 'http://[::1]:8080/', true],
    ['127.0.0.1', 'http://[::ffff:127.0.0.1]/', true],
  ])('the rule %s, when %s is at a private address, allows it: %s', async (rule, url, allowed) => {
    const asked = guard([rule], ['10.0.0.5']).addressesOf(new URL(url));
    if (allowed) await expect(asked).resolves.toHaveLength(1);
    else await expect(asked).rejects.toMatchObject(DENIED);
  });
});

describe('connections', () => {
  test('a name, when it was checked, is connected to at the checked address, with its own Host', async () => {
    await using server = await HttpFixture.start(() => [{ id: 1 }]);
    const egress = guard(['rebound.test'], ['127.0.0.1']);
    const dataset = await extract(fixture, { url: `http://rebound.test:${server.port}/` }, { egress });
    expect(dataset.rows).toBe(1);
    expect(server.asked[0]?.headers.host).toBe(`rebound.test:${server.port}`);
  });

  test('a name, when its address turns private between two pages, is refused at the second', async () => {
    await using server = await HttpFixture.start(() => [{ id: 1 }]);
    let lookups = 0;
    // 127.0.0.1 stands for the address that is allowed, 127.0.0.2 for one inside.
    const egress = new EgressGuard({
      restricted: true,
      allow: ['127.0.0.1'],
      resolve: () => {
        lookups += 1;
        return Promise.resolve([{ address: lookups === 1 ? '127.0.0.1' : '127.0.0.2' }]);
      },
    });
    const source = { url: `http://rebound.test:${server.port}/`, pagination: { type: 'page' } };
    await expect(extract(fixture, source, { egress })).rejects.toMatchObject(DENIED);
    expect([lookups, server.asked.length]).toEqual([2, 1]);
  });

  test('a redirect, when it leads to a private address, is refused before it is connected to', async () => {
    await using inside = await HttpFixture.start(() => [{ id: 1 }]);
    await using outside = await HttpFixture.start(
      (_, response) => void response.writeHead(302, { location: inside.url }).end(),
    );
    const egress = guard([`127.0.0.1:${outside.port}`]);
    await expect(extract(fixture, { url: outside.url }, { egress })).rejects.toMatchObject(DENIED);
    expect(inside.asked).toHaveLength(0);
  });

  test('a link to the next page, when it names a user, is asked for with the headers of the source', async () => {
    await using server = await HttpFixture.start(({ path }, response, { port }) => {
      if (path === '/') response.setHeader('link', `<http://other:user@127.0.0.1:${port}/next>; rel=next`);
      return [{ id: 1 }];
    });
    const headers = { Authorization: { value: 'Bearer own', secret: true } };
    const dataset = await extract(fixture, { url: server.url, pagination: { type: 'link' } }, { headers });
    expect(dataset.rows).toBe(2);
    expect(server.asked.map((asked) => asked.headers.authorization)).toEqual(['Bearer own', 'Bearer own']);
  });

  test('a link to the next page, when it leads to a private address, is refused before it is connected to', async () => {
    await using inside = await HttpFixture.start(() => [{ id: 1 }]);
    await using outside = await HttpFixture.start((_, response) => {
      response.setHeader('link', `<${inside.url}>; rel=next`);
      return [{ id: 1 }];
    });
    const egress = guard([`127.0.0.1:${outside.port}`]);
    const source = { url: outside.url, pagination: { type: 'link' } };
    await expect(extract(fixture, source, { egress })).rejects.toMatchObject(DENIED);
    expect(inside.asked).toHaveLength(0);
  });
});
