/** Sources of type `api` on the whole service: the example as it is, and what becomes of a secret. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTable } from '../../scripts/read-table.ts';
import { HttpFixture } from '../support/http-fixture.ts';
import { Service } from '../support/service.ts';
import { parseDocument } from '../../src/schemas/parse-document.ts';

const SECRET = 'hunter2-hunter2-hunter2';
let service: Service;

beforeAll(async () => {
  service = await Service.start({ PIPELINE_SECRET_TOKEN: SECRET });
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

test('the example, when it runs against the service itself, counts its pipelines', async () => {
  const text = await readFile('examples/api/api.yaml', 'utf8');
  const parsed = parseDocument(text.replace('http://127.0.0.1:8092', service.url), 'yaml');
  if ('faults' in parsed) throw new Error(JSON.stringify(parsed.faults));
  await service.register(parsed.value as object);
  const { workflowId } = await service.execute('pipelines-by-owner');
  expect(await service.ended(workflowId)).toMatchObject({ status: 'COMPLETED' });
  const rows = await readTable(service.dataDir, 'platform.pipelines_by_owner', 't', 'select owner, pipelines from t');
  expect(rows).toEqual([{ owner: 'examples', pipelines: '1' }]);
});

test('a secret in a header, when the API gets it and refuses, is nowhere in the status, the steps or the log', async () => {
  await using server = await HttpFixture.start((_, response) => void response.writeHead(403).end(SECRET));
  await service.register({
    name: 'refused',
    version: '1',
    definition: {
      sources: { s: { type: 'api', url: server.url, headers: { Authorization: 'Bearer ${secret:TOKEN}' } } },
      sinks: { out: { type: 'file', from: 's', path: join(service.folder, 'out.csv'), format: 'csv' } },
    },
  });
  const { workflowId, executionId } = await service.execute('refused');
  const status = await service.ended(workflowId);
  const steps = await service.call('GET', `/v1/pipelines/executions/${executionId}/steps`);
  const log = await service.call('GET', `/v1/pipelines/executions/${executionId}/steps/extract:s/logs`);

  expect(server.asked.map(({ headers }) => headers.authorization)).toEqual([`Bearer ${SECRET}`]);
  expect(status.status).toBe('FAILED');
  expect(JSON.stringify(steps.body)).toMatch(/PermissionDeniedError.*403 Forbidden/);
  for (const said of [status, steps.body, log.body, service.log(1000)])
    expect(JSON.stringify(said)).not.toContain(SECRET);
});
