/** What a definition is resolved with for one partition of a backfill. */
import type { Fault } from './fault.ts';
import { bindParameters, type ParameterValue } from './parameters.ts';
import type { TimeRange } from './partition-range.ts';
import { zonedIso } from './zoned-clock.ts';

/** ISO 8601 with the zone's offset, without milliseconds where there are none: they stand in the names of files, too. */
export function intervalTimes({ startMs, endMs }: TimeRange, timezone: string): { startIso: string; endIso: string } {
  const iso = (atMs: number) => zonedIso(new Date(atMs), timezone).replace('.000', '');
  return { startIso: iso(startMs), endIso: iso(endMs) };
}

/** What the loads of a partition are named after: the same whoever tries them in this round. */
export function rootOfPartition(
  { backfillId, timezone }: { backfillId: string; timezone: string },
  partition: TimeRange & { round: number },
): string {
  return `${backfillId}.${partition.round}/${intervalTimes(partition, timezone).startIso}`;
}

/** @param of `parameters`: what the backfill was given of those that the document declares */
export function partitionParameters(
  raw: unknown,
  of: {
    parameters: Record<string, string | number | boolean>;
    runId: string;
    submittedAt: Date;
    interval: TimeRange;
    timezone: string;
  },
): { values: Record<string, ParameterValue> } | { faults: Fault[] } {
  const { startIso, endIso } = intervalTimes(of.interval, of.timezone);
  return bindParameters((raw as { parameters?: unknown }).parameters ?? {}, of.parameters, {
    run_id: of.runId,
    scheduled_at: of.submittedAt.toISOString(),
    interval_start: startIso,
    interval_end: endIso,
  });
}
