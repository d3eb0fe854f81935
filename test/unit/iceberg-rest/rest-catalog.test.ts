import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { CommitConflict, CommitRefused, parseTableIdentifier } from '../../../src/engines/iceberg/catalog.ts';
import { LocalFileIo } from '../../../src/engines/iceberg/local-file-io.ts';
import { RestCatalog } from '../../../src/engines/iceberg/rest-catalog.ts';
import type { RestClientOptions } from '../../../src/engines/iceberg/rest-client.ts';
import { fault, standIn, type Answer, type StandIn } from './stand-in.ts';

const TABLE = parseTableIdentifier('a.b.t');
const CONFIG = { defaults: {}, overrides: {} };
const METADATA = `{"format-version":2,"table-uuid":"u","location":"file:///w/t","last-sequence-number":9007199254740993,
  "current-schema-id":0,"schemas":[{"type":"struct","schema-id":0,"fields":[]}],"current-snapshot-id":9223372036854775807,
  "snapshots":[{"snapshot-id":9223372036854775807,"sequence-number":9007199254740993,"summary":{"operation":"append"}}]}`;
const LOADED = { body: `{"metadata-location":"file:///w/t/1.json","metadata":${METADATA},"config":{"s3.secret":"x"}}` };
const NEW_TABLE = {
  schema: { type: 'struct' as const, fields: [] },
  lastColumnId: 0,
  spec: { 'spec-id': 0, fields: [] },
};

/** A catalog whose answers, but for its configuration, a test gives. */
async function withCatalog<T>(
  answer: Parameters<typeof standIn>[0],
  use: (catalog: RestCatalog, server: StandIn) => Promise<T>,
  { config = CONFIG, ...options }: Partial<RestClientOptions> & { config?: unknown } = {},
): Promise<T> {
  await using server = await standIn((asked) =>
    asked.path.startsWith('/v1/config') ? { body: config } : answer(asked),
  );
  return await use(new RestCatalog({ uri: server.url, io: new LocalFileIo(), ...options }), server);
}

const paths = (server: StandIn): string[] => server.asked.map(({ method, path }) => `${method} ${path}`);

describe('a REST catalog', () => {
  it('when asked for a table, keeps its 64-bit numbers', async () => {
    await withCatalog(
      () => LOADED,
      async (catalog) => {
        const { metadata } = (await catalog.loadTable(TABLE)) ?? {};
        expect(metadata?.['current-snapshot-id']).toBe(9223372036854775807n);
        expect(metadata?.snapshots?.[0]?.['sequence-number']).toBe(9007199254740993n);
      },
    );
  });

  it('when it is sent 64-bit numbers, gets every digit', async () => {
    await withCatalog(
      () => LOADED,
      async (catalog, server) => {
        const id = 9223372036854775807n;
        await catalog.commitTable(
          TABLE,
          [{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': id }],
          [{ action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id }],
        );
        expect(server.asked.at(-1)?.body.match(/"snapshot-id":9223372036854775807/g)).toHaveLength(2);
      },
    );
  });

  it('when it tells a prefix and a separator, is asked there, overrides before defaults', async () => {
    const config = {
      defaults: { prefix: 'wrong', 'namespace-separator': '%2E' },
      overrides: { prefix: 'ws/one' },
    };
    await withCatalog(
      () => LOADED,
      async (catalog, server) => {
        await catalog.loadTable(TABLE);
        expect(paths(server)).toEqual([
          'GET /v1/config?warehouse=my+house',
          'GET /v1/ws/one/namespaces/a%2Eb/tables/t',
        ]);
      },
      { config, warehouse: 'my house' },
    );
  });

  it('when its address has a path, is asked below it', async () => {
    await using server = await standIn(({ path }) => ({ body: path.endsWith('/config') ? CONFIG : LOADED.body }));
    const catalog = new RestCatalog({ uri: `${server.url}/iceberg/`, io: new LocalFileIo() });
    await catalog.loadTable(TABLE);
    expect(paths(server)).toEqual(['GET /iceberg/v1/config', 'GET /iceberg/v1/namespaces/a%1Fb/tables/t']);
  });

  it('when its configuration could not be had, is asked for it again', async () => {
    let away = true;
    await using server = await standIn(({ path }) => {
      if (path === '/v1/config') return away ? { status: 503, body: '' } : { body: CONFIG };
      return fault(404, 'NoSuchTableException');
    });
    const catalog = new RestCatalog({ uri: server.url, io: new LocalFileIo() });
    await expect(catalog.loadTable(TABLE)).rejects.toMatchObject({ type: 'UnavailableError' });
    away = false;
    expect(await catalog.loadTable(TABLE)).toBeUndefined();
  });

  it('when something in front of it answers 404, is not believed to have no such table', async () => {
    await withCatalog(
      () => ({ status: 404, body: '<html>default backend</html>' }),
      async (catalog) => {
        await expect(catalog.loadTable(TABLE)).rejects.toMatchObject({ type: 'UnavailableError' });
      },
    );
  });

  it('when the address is that of something else, says so', async () => {
    await using server = await standIn(() => ({ body: '<html>Welcome</html>' }));
    const catalog = new RestCatalog({ uri: server.url, io: new LocalFileIo() });
    const message = expect.stringContaining('ICEBERG_REST_URI') as string;
    await expect(catalog.loadTable(TABLE)).rejects.toMatchObject({ type: 'UnavailableError', message });
  });

  it('when a table is to be made, makes the namespaces that are missing, the upper ones first', async () => {
    const made = new Set(['a']);
    await withCatalog(
      ({ method, path, body }) => {
        if (method === 'GET') {
          const name = path.replace('/v1/namespaces/', '').replace('%1F', '.');
          return made.has(name) ? { body: {} } : fault(404, 'NoSuchNamespaceException');
        }
        if (path !== '/v1/namespaces') return LOADED;
        const name = (JSON.parse(body) as { namespace: string[] }).namespace.join('.');
        // Somebody else was quicker.
        if (made.has(name)) return fault(409, 'AlreadyExistsException');
        made.add(name);
        return name === 'a.b.c' ? fault(409, 'AlreadyExistsException') : { body: {} };
      },
      async (catalog, server) => {
        await catalog.stageTable(parseTableIdentifier('a.b.c.t'), NEW_TABLE);
        expect(paths(server).slice(1)).toEqual([
          'GET /v1/namespaces/a%1Fb%1Fc',
          'GET /v1/namespaces/a%1Fb',
          'GET /v1/namespaces/a',
          'POST /v1/namespaces',
          'POST /v1/namespaces',
          'POST /v1/namespaces/a%1Fb%1Fc/tables',
        ]);
        expect(JSON.parse(server.asked.at(-1)?.body ?? '')).toMatchObject({
          name: 't',
          'stage-create': true,
          properties: { 'format-version': '2' },
        });
      },
    );
  });

  it('when others make the table first, tells a conflict', async () => {
    await withCatalog(
      ({ method, path }) => (method === 'GET' ? LOADED : fault(409, 'AlreadyExistsException', path)),
      async (catalog) => {
        await expect(catalog.stageTable(TABLE, NEW_TABLE)).rejects.toBeInstanceOf(CommitConflict);
        const commit = catalog.commitTable(TABLE, [{ type: 'assert-create' }], []);
        await expect(commit).rejects.toBeInstanceOf(CommitConflict);
      },
    );
  });
});

describe('a commit', () => {
  const commit = (answer: Answer | undefined): Promise<unknown> =>
    withCatalog(
      () => answer,
      (catalog) => catalog.commitTable(TABLE, [], []).catch((error: unknown) => error),
    );

  it.for([
    [409, 'CommitFailedException'],
    [404, 'NoSuchTableException'],
  ] as const)('when %s is answered, is a conflict', async ([status, type]) => {
    expect(await commit(fault(status, type))).toBeInstanceOf(CommitConflict);
  });

  it.for([
    [400, 'BadRequestException', 'ValidationError'],
    [401, 'NotAuthorizedException', 'PermissionDeniedError'],
    [403, 'ForbiddenException', 'PermissionDeniedError'],
    [406, 'UnsupportedOperationException', 'UnsupportedError'],
    [422, 'UnprocessableEntityException', 'ValidationError'],
  ] as const)('when %s is answered, surely did not happen', async ([status, name, type]) => {
    const error = await commit(fault(status, name));
    expect(error).toBeInstanceOf(CommitRefused);
    const message = expect.stringContaining(`about ${name}`) as string;
    expect((error as CommitRefused).cause).toMatchObject({ type, message });
  });

  it.for([500, 502, 503, 504, 408, 302])('when %s is answered, may have happened', async (status) => {
    for (const answer of [fault(status, 'CommitStateUnknownException'), { status, body: '<html>' }]) {
      expect(await commit(answer)).toMatchObject({ name: 'EngineError', type: 'UnavailableError' });
    }
  });

  it('when a gateway answers 404 or nobody understands the answer, may have happened', async () => {
    expect(await commit(undefined)).toMatchObject({ name: 'EngineError', type: 'UnavailableError' });
    expect(await commit({ body: '{"metadata' })).not.toBeInstanceOf(CommitRefused);
    expect(await commit({ body: {} })).not.toBeInstanceOf(CommitRefused);
  });

  it('when the answer does not come in time, may have happened', async () => {
    const outcome = await withCatalog(
      () => sleep(500, LOADED),
      (catalog) => catalog.commitTable(TABLE, [], []).catch((error: unknown) => error),
      { timeoutMs: 100 },
    );
    const message = expect.stringContaining('no whole answer within 0.1 s') as string;
    expect(outcome).toMatchObject({ name: 'EngineError', type: 'UnavailableError', message });
  });

  it('when nobody listens, surely did not happen', async () => {
    const server = await standIn(({ path }) => (path === '/v1/config' ? { body: CONFIG } : LOADED));
    const catalog = new RestCatalog({ uri: server.url, io: new LocalFileIo() });
    await catalog.loadTable(TABLE);
    await server[Symbol.asyncDispose]();
    const message = expect.stringMatching(/127\.0\.0\.1:\d+ did not answer: ECONNREFUSED/) as string;
    // The first request may still find the connection of before, of which nobody knows how far it came.
    await catalog.commitTable(TABLE, [], []).catch(() => undefined);
    const error = await catalog.commitTable(TABLE, [], []).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CommitRefused);
    expect((error as CommitRefused).cause).toMatchObject({ type: 'UnavailableError', message });
  });
});

describe('too many requests', () => {
  it('when the catalog says when to come back, are waited out', async () => {
    let refusals = 2;
    await withCatalog(
      () => (refusals-- > 0 ? { status: 429, body: '', headers: { 'retry-after': '0' } } : LOADED),
      async (catalog) => {
        expect(await catalog.loadTable(TABLE)).toBeDefined();
      },
    );
  });

  it('when they stay too many, fail for now, and a commit surely did not happen', async () => {
    const tooMany = { status: 429, body: '', headers: { 'retry-after': '0' } };
    await withCatalog(
      () => tooMany,
      async (catalog) => {
        await expect(catalog.loadTable(TABLE)).rejects.toMatchObject({ type: 'UnavailableError' });
        await expect(catalog.commitTable(TABLE, [], [])).rejects.toBeInstanceOf(CommitRefused);
      },
    );
  });
});
