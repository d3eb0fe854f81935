/**
 * The promise of the service, tried on the real thing: SIGKILL at any moment loses nothing and doubles nothing. The
 * service, its Temporal server, DuckDB, the registry and the Iceberg table are real.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { readTable, tableState } from '../../scripts/read-table.ts';
import { Service } from '../support/service.ts';

const KILLS = 10;
const ROWS = 2000;
const quick = { initial_interval: '200ms', max_interval: '1s', max_attempts: 3 };
const retry = Object.fromEntries(
  ['extract_data', 'validate_quality', 'run_sql', 'load_to_iceberg', 'write_file'].map((activity) => [activity, quick]),
);

/** Steps that take a second or so each, so that a kill meets every one of them now and then. */
function pipeline(csv: string, folder: string) {
  const slow = (input: string) =>
    `select n, (select count(*) from range(12000) a(x), range(12000) b(y) where (x + y) % 97 = 1 and n >= 0) as work from ${input}`;
  return {
    name: 'crashes',
    version: '1',
    definition: {
      sources: { numbers: { type: 'file', path: csv, format: 'csv' } },
      quality_checks: { checks: [{ source: 'numbers', type: 'unique', columns: ['n'] }] },
      transformations: [
        { name: 'first', engine: 'sql', sql: slow('numbers') },
        { name: 'second', engine: 'sql', depends_on: ['first'], sql: slow('first') },
      ],
      sinks: {
        lake: { type: 'iceberg', from: 'second', table: 'crash.numbers', mode: 'append' },
        file: { type: 'file', from: 'second', path: join(folder, 'numbers.csv'), format: 'csv' },
      },
      orchestration: { retry },
    },
  };
}

test('a run, when the process or everything is killed ten times on the way, loads each row once in one snapshot', async () => {
  await using service = await Service.start({ HEARTBEAT_TIMEOUT: '3s' });
  const csv = join(service.folder, 'input.csv');
  await writeFile(csv, `n\n${Array.from({ length: ROWS }, (_, n) => n).join('\n')}\n`);
  const pipelineId = await service.register(pipeline(csv, service.folder));

  let kills = 0;
  let runs = 0;
  while (kills < KILLS) {
    const { workflowId } = await service.execute(pipelineId);
    runs += 1;
    while (kills < KILLS) {
      await sleep(Math.random() * 1500);
      const { status } = await service.api.status(workflowId);
      if (status !== 'RUNNING') break;
      await service.kill(kills % 2 === 0 ? 'everything' : 'service');
      kills += 1;
      await service.start();
    }
    const ended = await service.ended(workflowId, 180_000);
    expect(ended).toMatchObject({ status: 'COMPLETED', progress: 1 });
    const [counted] = await readTable(
      service.dataDir,
      'crash.numbers',
      'numbers',
      'select count(*)::int as rows, count(distinct n)::int as numbers from numbers',
    );
    expect(counted).toEqual({ rows: runs * ROWS, numbers: ROWS });
    expect((await tableState(service.dataDir, 'crash.numbers'))?.snapshots).toBe(runs);
  }
}, 400_000);
