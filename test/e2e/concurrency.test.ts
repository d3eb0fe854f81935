/** `concurrency.max_runs` on the whole service: runs that wait for their turn, and runs that are refused. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Service } from '../support/service.ts';

let service: Service;

beforeAll(async () => {
  service = await Service.start();
  await writeFile(join(service.folder, 'input.csv'), 'n,name\n1,\n');
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

/** A pipeline that works until somebody answers its gate. */
const document = (name: string, onConflict: string) => ({
  name,
  version: '1',
  definition: {
    sources: { people: { type: 'file', path: join(service.folder, 'input.csv'), format: 'csv' } },
    quality_checks: { checks: [{ source: 'people', type: 'not_null', columns: ['name'] }] },
    sinks: { out: { type: 'file', from: 'people', path: join(service.folder, `${name}.csv`), format: 'csv' } },
    orchestration: { concurrency: { max_runs: 1, on_conflict: onConflict } },
  },
});
const approve = (workflowId: string) =>
  service.call('POST', `/v1/pipelines/workflows/${workflowId}/signal`, { name: 'approval', data: { approved: true } });

test('runs of a limited pipeline, when several are started, work one after another in their order', async () => {
  await service.register(document('queued', 'queue'));
  const runs = [];
  for (let started = 0; started < 3; started += 1) runs.push(await service.execute('queued'));
  for (const [place, { workflowId }] of runs.entries()) {
    await service.atGate(workflowId);
    for (const later of runs.slice(place + 1)) {
      const waiting = await service.api.status(later.workflowId);
      expect(waiting).toMatchObject({ status: 'RUNNING', currentActivity: null, activities: [] });
      expect(waiting.notes?.[0]).toMatch(/max_runs/);
    }
    expect((await approve(workflowId)).status).toBe(202);
    expect((await service.ended(workflowId)).status).toBe('COMPLETED');
  }
});

test('a run of a limited pipeline, when another one works and it may not wait, is refused', async () => {
  await service.register(document('refused', 'reject'));
  const { workflowId } = await service.execute('refused');
  expect((await service.call('POST', '/v1/pipelines/refused/execute', {})).status).toBe(409);
  await service.atGate(workflowId);
  await approve(workflowId);
  await service.ended(workflowId);
  expect((await service.call('POST', '/v1/pipelines/refused/execute', {})).status).toBe(202);
});
