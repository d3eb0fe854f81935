/** A pipeline whose days can be processed one by one, and what tests ask of its backfills. */
import type { BackfillAnswer, PartitionAnswer } from '../../src/schemas/api-backfills.ts';
import type { Service } from './service.ts';

const DAY_MS = 86_400_000;
const FIRST_DAY = Date.parse('2001-01-01T00:00:00Z');

export const dayOf = (n: number) => new Date(FIRST_DAY + n * DAY_MS).toISOString().slice(0, 10);

/** Three rows for each of so many days, from 2001-01-01 on. */
export function daysCsv(days: number): string {
  const rows = Array.from({ length: days * 3 }, (_, n) => `${dayOf(Math.floor(n / 3))},${n}`);
  return `d,n\n${rows.join('\n')}\n`;
}

const quick = { initial_interval: '100ms', max_interval: '500ms', max_attempts: 2 };

/** One Iceberg table, partitioned by month, from days of a CSV file. */
export function dailyPipeline(csv: string, changes: Record<string, unknown> = {}) {
  return {
    name: 'daily',
    version: '1',
    definition: {
      sources: { days: { type: 'file', path: csv, format: 'csv' } },
      transformations: [{ name: 'doubled', engine: 'sql', sql: 'select d, n, n * 2 as twice from days' }],
      sinks: {
        lake: { type: 'iceberg', from: 'doubled', table: 'b.days', mode: 'append', partition_by: ['month(d)'] },
      },
      partitioning: { column: 'd', size: 'day', timezone: 'UTC' },
      orchestration: { retry: { process_partition: quick } },
      ...changes,
    },
  };
}

export async function startBackfill(service: Service, body: object, pipeline = 'daily'): Promise<string> {
  const answer = await service.call('POST', `/v1/pipelines/${pipeline}/backfills`, body);
  if (answer.status !== 202) throw new Error(`not started: ${JSON.stringify(answer.body)}`);
  return answer.body['backfillId'] as string;
}

async function backfillOf(service: Service, backfillId: string): Promise<BackfillAnswer> {
  return (await service.call('GET', `/v1/backfills/${backfillId}`)).body as unknown as BackfillAnswer;
}

export async function backfillUntil(
  service: Service,
  backfillId: string,
  test: (backfill: BackfillAnswer) => boolean,
  limitMs = 90_000,
): Promise<BackfillAnswer> {
  const deadlineMs = Date.now() + limitMs;
  for (;;) {
    const backfill = await backfillOf(service, backfillId);
    if (test(backfill)) return backfill;
    if (Date.now() > deadlineMs) throw new Error(`never reached: ${JSON.stringify(backfill)}\n${service.log()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export function backfillEnded(service: Service, backfillId: string, limitMs?: number): Promise<BackfillAnswer> {
  return backfillUntil(service, backfillId, ({ status }) => status !== 'RUNNING', limitMs);
}

export async function partitionsOf(service: Service, backfillId: string, query = ''): Promise<PartitionAnswer[]> {
  const { body } = await service.call('GET', `/v1/backfills/${backfillId}/partitions?size=100${query}`);
  return body['data'] as PartitionAnswer[];
}

/** `POST …/{verb}`; answers the status. */
export async function tellBackfill(service: Service, backfillId: string, verb: string): Promise<number> {
  return (await service.call('POST', `/v1/backfills/${backfillId}/${verb}`)).status;
}
