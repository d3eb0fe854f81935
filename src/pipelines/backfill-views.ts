/** Backfills as the API shows them (spec section 4). */
import type { BackfillAnswer, PartitionAnswer } from '../schemas/api-backfills.ts';
import type { PartitionCounts, PartitionRow } from '../store/backfill-partitions.ts';
import type { BackfillRow } from '../store/backfills.ts';
import { shownInterval } from './plan-backfill.ts';

/**
 * @param counted of the partitions that have a row
 * @param ended partitions since the round at work began
 */
export function backfillView(
  row: BackfillRow,
  counted: PartitionCounts,
  rows: number,
  ended: number,
  now = new Date(),
): BackfillAnswer {
  const unplanned = row.partitions - Object.values(counted).reduce((total, count) => total + count, 0);
  const counts = { ...counted };
  counts[row.status === 'RUNNING' ? 'PENDING' : 'CANCELLED'] += unplanned;
  const { startedAt, finishedAt } = row;
  const elapsedMs = startedAt === null ? 0 : Math.max(1, (finishedAt ?? now).getTime() - startedAt.getTime());
  const rate = ended === 0 ? null : (ended / elapsedMs) * 60_000;
  const left = counts.PENDING + counts.RUNNING;
  const goesOn = row.status === 'RUNNING' && row.control === 'RUN';
  const remainingMs = rate === null || !goesOn ? null : Math.round((left / rate) * 60_000);
  return {
    backfillId: row.backfillId,
    workflowId: row.workflowId,
    pipelineId: row.pipelineId,
    pipelineName: row.pipelineName,
    revision: row.revision,
    status: row.status,
    paused: row.status === 'RUNNING' && row.control === 'PAUSE',
    ...(row.reason !== null && { reason: row.reason }),
    progress: Math.round(((counts.COMPLETED + counts.SKIPPED) / row.partitions) * 10_000) / 10_000,
    partitions: row.partitions,
    counts,
    rows,
    rate: rate === null ? null : Math.round(rate * 100) / 100,
    estimate:
      remainingMs === null ? null : { remainingMs, completesAt: new Date(now.getTime() + remainingMs).toISOString() },
    ...shownInterval({ startMs: row.rangeStart.getTime(), endMs: row.rangeEnd.getTime() }, row.timezone),
    size: row.size,
    timezone: row.timezone,
    concurrency: row.concurrency,
    order: row.order,
    reprocess: row.reprocess,
    onFailure: row.onFailure,
    parameters: row.parameters,
    round: row.round,
    submittedAt: row.submittedAt.toISOString(),
    submittedBy: row.submittedBy,
    ...(startedAt && { startedAt: startedAt.toISOString() }),
    ...(finishedAt && { finishedAt: finishedAt.toISOString() }),
  };
}

export function partitionView(row: PartitionRow, timezone: string): PartitionAnswer {
  const range = { startMs: row.intervalStart.getTime(), endMs: row.intervalEnd.getTime() };
  return {
    position: row.position,
    ...shownInterval(range, timezone),
    state: row.state,
    ...(row.reason !== null && { reason: row.reason }),
    attempts: row.attempts,
    ...(row.executionId !== null && { executionId: row.executionId }),
    ...(row.rows !== null && { rows: row.rows }),
    ...(row.bytes !== null && { bytes: row.bytes }),
    ...(row.error !== null && { error: row.error }),
    ...(row.startedAt && { startedAt: row.startedAt.toISOString() }),
    ...(row.finishedAt && { finishedAt: row.finishedAt.toISOString() }),
  };
}
