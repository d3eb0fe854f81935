/** How soon the service is back, and what it uses while nothing happens. */
import { setTimeout as sleep } from 'node:timers/promises';
import { memoryOf, processorMsOf } from './process-usage.ts';
import { seconds } from './statistics.ts';
import { type StartBenched, withService } from './with-service.ts';

/** Until what a start leaves to be done has been done. */
const SETTLE_MS = 3000;
const IDLE_MS = 10_000;
const MEBIBYTE = 1024 ** 2;

export async function benchRestart(start: StartBenched): Promise<string[]> {
  const first = await timedStart(start, () => Promise.resolve());
  const second = await timedStart(start, async (pid) => {
    await sleep(SETTLE_MS);
    const beforeMs = await processorMsOf(pid);
    await sleep(IDLE_MS);
    const share = ((await processorMsOf(pid)) - beforeMs) / IDLE_MS;
    return { share, bytes: (await memoryOf(pid)).nowBytes };
  });
  const { share, bytes } = second.answer;
  return [
    `ready after ${seconds(first.readyAfterMs)} on an empty folder, ${seconds(second.readyAfterMs)} the second time`,
    `idle: ${(share * 100).toFixed(1)} % of one processor, ${Math.round(bytes / MEBIBYTE)} MiB`,
  ];
}

async function timedStart<T>(
  start: StartBenched,
  use: (pid: number) => Promise<T>,
): Promise<{ readyAfterMs: number; answer: T }> {
  const startedAtMs = performance.now();
  return withService(start, async ({ pid }) => {
    const readyAfterMs = performance.now() - startedAtMs;
    return { readyAfterMs, answer: await use(pid) };
  });
}
