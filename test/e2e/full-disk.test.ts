/** Staging that takes no more: a clear error, and nothing lost. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Service } from '../support/service.ts';

const LIMIT_BYTES = 32 * 1024 * 1024;

let service: Service;
beforeAll(async () => {
  service = await Service.start({ HEARTBEAT_TIMEOUT: '3s' });
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
});

/** Of the service's process alone, soft, so that it can be lifted again without any rights. */
const limitFiles = (limit: string) =>
  promisify(execFile)('prlimit', ['--pid', String(service.pid), `--fsize=${limit}:`]);

test('a step, when staging takes no more (a limit on file sizes stands for the full disk), says so and is done once it does', async () => {
  await writeFile(join(service.folder, 'rows.csv'), 'n\n1\n');
  const patient = { max_attempts: 50, initial_interval: '200ms', max_interval: '500ms' };
  await service.register({
    name: 'full-disk',
    version: '1',
    definition: {
      sources: { rows: { type: 'file', path: join(service.folder, 'rows.csv'), format: 'csv' } },
      transformations: [
        { name: 'large', engine: 'sql', sql: 'select hash(r) as h from range(6000000) t(r), rows' },
        { name: 'counted', engine: 'sql', depends_on: ['large'], sql: 'select count(*) as n from large' },
      ],
      sinks: { out: { type: 'file', from: 'counted', path: join(service.folder, 'out.csv'), format: 'csv' } },
      orchestration: { retry: { run_sql: patient } },
    },
  });
  await limitFiles(String(LIMIT_BYTES));
  const { workflowId } = await service.execute('full-disk');
  const large = (status: Awaited<ReturnType<Service['ended']>>) =>
    status.activities.find(({ step }) => step === 'transform:large');
  const refused = await service.until(workflowId, (status) => large(status)?.error !== undefined);
  expect(large(refused)?.error).toMatch(/the disk is full; free some space/);
  expect(refused.status).toBe('RUNNING');

  await limitFiles('unlimited');
  expect((await service.ended(workflowId)).status).toBe('COMPLETED');
  expect(await readFile(join(service.folder, 'out.csv'), 'utf8')).toBe('n\n6000000\n');
});
