import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pipelineAnswer, pipelinePage, pipelineWritten, revisionPage } from '../../src/schemas/api-answers.ts';
import { birds, startApi, type TestApi } from './support/test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

async function create(changes: Record<string, unknown>): Promise<string> {
  const { status, body } = await api.call('POST', '/v1/pipelines', { json: birds(changes) });
  expect(status, JSON.stringify(body)).toBe(201);
  return pipelineWritten.parse(body).pipelineId;
}

describe('the registry', () => {
  test('a pipeline, when it is registered, is answered as specified and found by id and by name', async () => {
    const { status, body } = await api.call('POST', '/v1/pipelines', { json: birds({ name: 'first' }) });

    expect(status).toBe(201);
    expect(body).toEqual({
      pipelineId: expect.any(String) as string,
      name: 'first',
      version: '1.0.0',
      revision: 1,
      status: 'CREATED',
      createdAt: expect.stringMatching(/Z$/) as string,
    });
    const { pipelineId } = pipelineWritten.parse(body);
    const byId = await api.call('GET', `/v1/pipelines/${pipelineId}`);
    const byName = await api.call('GET', '/pipelines/first');
    expect(byId.status).toBe(200);
    expect(byName.body).toEqual(byId.body);
    expect(pipelineAnswer.parse(byId.body)).toMatchObject({
      enabled: true,
      description: 'bird strikes by day',
      tags: ['wildlife'],
      definition: birds()['definition'],
    });
  });

  test('a name, when the tenant has it already, is refused with 409', async () => {
    await create({ name: 'taken' });

    const { status, body } = await api.call('POST', '/v1/pipelines', { json: birds({ name: 'taken' }) });

    expect(status).toBe(409);
    expect(body).toMatchObject({ success: false, error: { code: 'CONFLICT' } });
  });

  test('a removed pipeline, when its name is registered again, is another pipeline', async () => {
    const before = await create({ name: 'phoenix' });

    expect((await api.call('DELETE', '/v1/pipelines/phoenix')).status).toBe(204);
    expect((await api.call('GET', `/v1/pipelines/${before}`)).status).toBe(404);
    expect((await api.call('DELETE', '/v1/pipelines/phoenix')).status).toBe(404);
    expect(await create({ name: 'phoenix' })).not.toBe(before);
  });

  test('a pipeline, when it is changed, has a new revision and keeps the old one', async () => {
    await create({ name: 'changing' });

    const { status, body } = await api.call('PUT', '/v1/pipelines/changing', {
      json: birds({ name: 'changing', version: '2.0.0', tags: ['changed'] }),
    });

    expect(status).toBe(200);
    expect(body).toMatchObject({ name: 'changing', version: '2.0.0', revision: 2, status: 'UPDATED' });
    const revisions = revisionPage.parse((await api.call('GET', '/v1/pipelines/changing/revisions')).body);
    expect(revisions.data.map(({ revision, version }) => [revision, version])).toEqual([
      [2, '2.0.0'],
      [1, '1.0.0'],
    ]);
    expect(revisions.data[1]?.document).toEqual(birds({ name: 'changing' }));
    expect((await api.call('GET', '/v1/pipelines/changing')).body).toMatchObject({ revision: 2, tags: ['changed'] });
  });

  test('a pipeline, when many change it at once, gets a revision for each', async () => {
    await create({ name: 'contended' });

    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        api.call('PUT', '/v1/pipelines/contended', { json: birds({ name: 'contended' }) }),
      ),
    );

    const revisions = answers.map(({ body }) => pipelineWritten.parse(body).revision);
    expect(revisions.sort((a, b) => a - b)).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('a document of another name, when it is put under a name, is refused', async () => {
    const id = await create({ name: 'kept' });

    const byName = await api.call('PUT', '/v1/pipelines/kept', { json: birds({ name: 'slipped' }) });
    expect(byName.status).toBe(400);
    expect(byName.body).toMatchObject({ error: { details: [{ path: 'name' }] } });

    const byId = await api.call('PUT', `/v1/pipelines/${id}`, { json: birds({ name: 'renamed' }) });
    expect(byId.status).toBe(200);
    expect((await api.call('GET', '/v1/pipelines/kept')).status).toBe(404);
    expect((await api.call('GET', '/v1/pipelines/renamed')).status).toBe(200);
  });

  test('a pipeline, when it is disabled, says so and can be run by hand all the same', async () => {
    await create({ name: 'paused' });

    const disabled = await api.call('POST', '/v1/pipelines/paused/disable');
    expect(disabled.status).toBe(200);
    expect(disabled.body).toMatchObject({ name: 'paused', enabled: false });
    expect((await api.call('POST', '/v1/pipelines/paused/execute')).status).toBe(202);
    expect((await api.call('POST', '/v1/pipelines/paused/enable')).body).toMatchObject({ enabled: true });
  });

  test('a list, when it has several pages, is paged without gaps', async () => {
    for (let i = 0; i < 5; i++) await create({ name: `paged-${i}` });
    const all = pipelinePage.parse((await api.call('GET', '/v1/pipelines?size=100')).body);
    const size = 3;
    const pages = Math.ceil(all.pagination.total / size);

    const names: string[] = [];
    for (let page = 0; page < pages; page++) {
      const { data, pagination } = pipelinePage.parse(
        (await api.call('GET', `/v1/pipelines?page=${page}&size=${size}`)).body,
      );
      expect(pagination).toEqual({
        page,
        size,
        total: all.pagination.total,
        totalPages: pages,
        hasNext: page < pages - 1,
        hasPrevious: page > 0,
      });
      names.push(...data.map(({ name }) => name));
    }

    expect(names).toEqual(all.data.map(({ name }) => name));
    expect(new Set(names).size).toBe(all.pagination.total);
  });

  test.each(['page=-1', 'page=x', 'size=0', 'size=101', 'page=', 'page=1&page=2', 'sort=name', 'page=1e3'])(
    'a list, when it is asked for %s, is 400',
    async (query) => {
      const { status, body } = await api.call('GET', `/v1/pipelines?${query}`);

      expect(status).toBe(400);
      expect(body).toMatchObject({ error: { code: 'VALIDATION_FAILED' } });
    },
  );
});

describe('a document', () => {
  test('when it has faults, is refused with all of them, each with its path', async () => {
    const faulty = birds({ name: 'faulty', colour: 'red' });
    faulty['definition'] = {
      sources: { birds: { type: 'file', path: 'birds.csv', format: 'xml' } },
      sinks: { out: { type: 'iceberg', from: 'birds' } },
    };

    const { status, body } = await api.call('POST', '/v1/pipelines', { json: faulty });

    expect(status).toBe(400);
    const { error } = body as { error: { code: string; details: { path: string }[] } };
    expect(error.code).toBe('VALIDATION_FAILED');
    const paths = error.details.map(({ path }) => path);
    expect(paths).toContain('definition.sources.birds.format');
    expect(paths).toContain('definition.sinks.out.table');
    expect(paths).toContain('colour');
    expect((await api.call('GET', '/v1/pipelines/faulty')).status).toBe(404);
  });

  test('when it is only validated, is not stored', async () => {
    const valid = await api.call('POST', '/v1/pipelines/validate', { json: birds({ name: 'only-validated' }) });
    const invalid = await api.call('POST', '/v1/pipelines/validate', { json: { name: 'UPPER' } });

    expect(valid.body).toEqual({ valid: true, errors: [] });
    expect(invalid.status).toBe(200);
    expect(invalid.body).toMatchObject({ valid: false });
    expect((invalid.body as { errors: { path: string }[] }).errors.map(({ path }) => path)).toContain('name');
    expect((await api.call('GET', '/v1/pipelines/only-validated')).status).toBe(404);
  });

  test('when it is YAML, is taken as well', async () => {
    const text = [
      'name: from-yaml',
      'version: 1.0.0',
      'definition:',
      '  sources: { birds: { type: file, path: birds.csv, format: csv } }',
      '  sinks: { out: { type: file, from: birds, path: out.parquet, format: parquet } }',
    ].join('\n');

    for (const [i, type] of ['application/yaml', 'text/yaml; charset=utf-8', 'application/x-yaml'].entries()) {
      const { status, body } = await api.call('POST', '/v1/pipelines', {
        text: text.replace('from-yaml', `from-yaml-${i}`),
        headers: { 'content-type': type },
      });
      expect(status, JSON.stringify(body)).toBe(201);
    }
  });
});

describe('the audit log', () => {
  test('when something changes, has one entry for each change', async () => {
    const pipelineId = await create({ name: 'audited' });
    await api.call('PUT', '/v1/pipelines/audited', { json: birds({ name: 'audited' }) });
    await api.call('POST', '/v1/pipelines/audited/disable');
    await api.call('DELETE', '/v1/pipelines/audited', { headers: { 'x-request-id': 'the-removal' } });

    const { status, body } = await api.call('GET', `/v1/audit?subject=${pipelineId}`);

    expect(status).toBe(200);
    const { data } = body as { data: { action: string; actor: string; requestId: string }[] };
    expect(data.map(({ action }) => action)).toEqual([
      'pipeline.remove',
      'pipeline.disable',
      'pipeline.update',
      'pipeline.create',
    ]);
    expect(data[0]).toMatchObject({ actor: 'local', requestId: 'the-removal', subject: pipelineId });
  });

  test('when a change is refused, has no entry for it', async () => {
    const pipelineId = await create({ name: 'refused' });
    await api.call('POST', '/v1/pipelines', { json: birds({ name: 'refused' }) });
    await api.call('PUT', '/v1/pipelines/refused', { json: { name: 'refused' } });

    const { body } = await api.call('GET', `/v1/audit?subject=${pipelineId}`);

    expect((body as { data: unknown[] }).data).toHaveLength(1);
  });
});
