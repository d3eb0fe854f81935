/** (c) 200 executions started at once over HTTP, and their status asked for, against the bare client. */
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { ApiClient } from '../../src/cli/api-client.ts';
import { progressQuery } from '../../src/workflows/messages.ts';
import { memoryOf } from './process-usage.ts';
import { median, quantile, seconds } from './statistics.ts';
import { type StartBenched, withService } from './with-service.ts';
import { withTemporal } from './with-temporal.ts';

const STARTS = 200;
const STATUS_ROUNDS = 4;
/** Nobody polls it: what is measured of the bare client is the start alone. */
const IDLE_QUEUE = 'bench-idle';
const MEBIBYTE = 1024 ** 2;

export function benchStarts(start: StartBenched, folder: string): Promise<string[]> {
  return withService(start, (service) =>
    withTemporal(service.temporalAddress, async (client) => {
      const api = new ApiClient({ url: service.url });
      const pipeline = await createPipeline(api, folder);
      const begin = () => api.execute(pipeline, {}, randomUUID());
      const done = (workflowId: string) => client.workflow.getHandle(workflowId).result();
      // The first warms up.
      await done((await begin()).workflowId);

      const bare = await startBare(client);
      const startedAtMs = performance.now();
      const ours = await atOnce(begin);
      const workflowIds = ours.answers.map(({ workflowId }) => workflowId);
      const statusMs: number[] = [];
      const askMs: number[] = [];
      const askOurs = async () => statusMs.push((await atOnce((at) => api.status(workflowIds[at] ?? ''))).p99Ms);
      const askTheirs = async () => askMs.push((await atOnce((at) => askBare(client, workflowIds[at] ?? ''))).p99Ms);
      for (let round = 0; round < STATUS_ROUNDS; round += 1) {
        // Taking turns, since whoever asks first meets the runs when they are busiest.
        for (const ask of round % 2 === 0 ? [askOurs, askTheirs] : [askTheirs, askOurs]) await ask();
      }
      await Promise.all(workflowIds.map(done));
      const allDoneMs = performance.now() - startedAtMs;
      const memory = await memoryOf(service.pid);
      return [
        `${STARTS} starts at once: ${perSecond(ours.totalMs)} over HTTP, ${perSecond(bare.totalMs)} by the bare client, whose workflows do not work meanwhile: ${(ours.totalMs / bare.totalMs).toFixed(2)}x the time`,
        `p99 of a start: ${whole(ours.p99Ms)} ms over HTTP, ${whole(bare.p99Ms)} ms by the bare client: ${(ours.p99Ms / bare.p99Ms).toFixed(2)}x`,
        `p99 of ${STARTS} /status at once: ${whole(median(statusMs))} ms, of the bare client's query and description of the same runs ${whole(median(askMs))} ms: ${(median(statusMs) / median(askMs)).toFixed(2)}x`,
        `all ${STARTS} runs done after ${seconds(allDoneMs)}; then ${whole(memory.nowBytes / MEBIBYTE)} MiB, at most ${whole(memory.peakBytes / MEBIBYTE)} MiB so far`,
      ];
    }),
  );
}

function whole(value: number): string {
  return String(Math.round(value));
}

function perSecond(totalMs: number): string {
  return `${whole(STARTS / (totalMs / 1000))}/s`;
}

async function createPipeline(api: ApiClient, folder: string): Promise<string> {
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
  return (await api.create({ type: 'application/json', text: JSON.stringify(document) })).pipelineId;
}

async function startBare(client: Client): Promise<{ totalMs: number; p99Ms: number }> {
  const started = await atOnce(() =>
    client.workflow.start('Nothing', { taskQueue: IDLE_QUEUE, workflowId: `bench-${randomUUID()}` }),
  );
  await Promise.all(started.answers.map((handle) => handle.terminate()));
  return started;
}

/**
 * What a status is made of, without the service: the progress query and Temporal's description. A query that Temporal
 * gave up, since no worker came to it in time, counts with the time that took; the service has its record for those.
 */
async function askBare(client: Client, workflowId: string): Promise<void> {
  const handle = client.workflow.getHandle(workflowId);
  await Promise.allSettled([handle.query(progressQuery), handle.describe()]);
}

async function atOnce<T>(
  call: (index: number) => Promise<T>,
): Promise<{ totalMs: number; p99Ms: number; answers: T[] }> {
  const startedAtMs = performance.now();
  const times: number[] = [];
  const answers = await Promise.all(
    Array.from({ length: STARTS }, async (_, index) => {
      const answer = await call(index);
      times.push(performance.now() - startedAtMs);
      return answer;
    }),
  );
  return { totalMs: performance.now() - startedAtMs, p99Ms: quantile(times, 0.99), answers };
}
