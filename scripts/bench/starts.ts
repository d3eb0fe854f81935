/** (c) 200 executions started at once over HTTP, and their status asked for, against the bare client. */
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { ApiClient } from '../../src/cli/api-client.ts';
import type { ServiceProcess } from '../service-process.ts';
import { quantile } from './statistics.ts';

const STARTS = 200;
/** Nobody polls it: what is measured is the start alone. */
const IDLE_QUEUE = 'bench-idle';

export async function benchStarts(service: ServiceProcess, folder: string): Promise<string> {
  const api = new ApiClient({ url: service.url });
  const csv = join(folder, 'tiny.csv');
  await writeFile(csv, 'n\n1\n');
  const document = {
    name: 'bench-starts',
    version: '1',
    definition: {
      sources: { tiny: { type: 'file', path: csv, format: 'csv' } },
      sinks: { out: { type: 'file', from: 'tiny', path: join(folder, 'tiny-${run_id}.csv'), format: 'csv' } },
    },
  };
  const { pipelineId } = await api.create({ type: 'application/json', text: JSON.stringify(document) });

  const connection = await Connection.connect({ address: service.temporalAddress });
  const client = new Client({ connection, namespace: 'matih-pipelines' });
  const bare = await atOnce(() =>
    client.workflow.start('Nothing', { taskQueue: IDLE_QUEUE, workflowId: `bench-${randomUUID()}` }),
  );
  const ours = await atOnce(() => api.execute(pipelineId, {}, randomUUID()));
  const statuses = await atOnce((index) => api.status(ours.answers[index]?.workflowId ?? ''));
  await Promise.all(bare.answers.map((handle) => handle.terminate()));
  await connection.close();
  const perSecond = (ms: number) => Math.round(STARTS / (ms / 1000));
  const p99 = (times: number[]) => `${Math.round(quantile(times, 0.99))} ms`;
  return [
    `${STARTS} starts at once: ${perSecond(ours.totalMs)}/s over HTTP, ${perSecond(bare.totalMs)}/s by the bare client (${(ours.totalMs / bare.totalMs).toFixed(2)}x the time)`,
    `p99 of a start: ${p99(ours.times)} over HTTP, ${p99(bare.times)} bare; p99 of /status, all at once while they run: ${p99(statuses.times)}`,
  ].join('\n');
}

async function atOnce<T>(
  call: (index: number) => Promise<T>,
): Promise<{ totalMs: number; times: number[]; answers: T[] }> {
  const startedAtMs = performance.now();
  const times: number[] = [];
  const answers = await Promise.all(
    Array.from({ length: STARTS }, async (_, index) => {
      const answer = await call(index);
      times.push(performance.now() - startedAtMs);
      return answer;
    }),
  );
  return { totalMs: performance.now() - startedAtMs, times, answers };
}
