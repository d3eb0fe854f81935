import { scrape } from '../metrics/scrape.ts';
import type { Foundations } from './foundations.ts';

/** What `/metrics` of a process answers. Without the database its gauges keep their last values: the others are wanted all the more. */
export async function metricsText({ store, metrics, sdkMetricsUrl }: Foundations): Promise<string> {
  const open = await store.gates.countOpen().catch(() => undefined);
  if (open !== undefined) metrics.approvalsPending.set(open);
  const partitions = await store.partitions.countsOfOpen().catch(() => undefined);
  for (const [state, count] of Object.entries(partitions ?? {})) metrics.backfillPartitions.set({ state }, count);
  return (await scrape(metrics.registry, sdkMetricsUrl)).body;
}
