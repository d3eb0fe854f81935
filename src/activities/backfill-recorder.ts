/** What `DataBackfillWorkflow` itself reads and records: short, idempotent local activities over the store. */
import { ApplicationFailure } from '@temporalio/activity';
import { ServiceError } from '../errors.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { partitionsOf, type TimeRange } from '../schemas/partition-range.ts';
import { skipReason } from '../schemas/skip-reason.ts';
import { outcomeKey, type NewPartition } from '../store/backfill-partitions.ts';
import type { BackfillRow } from '../store/backfills.ts';
import type { StoredError } from '../store/columns.ts';
import type { Store } from '../store/store.ts';
import type {
  BackfillResult,
  PartitionInput,
  PartitionPage,
  PartitionRun,
  PartitionRunEnd,
} from '../workflows/backfill-messages.ts';
import type { RunPlan, StepResult } from '../workflows/messages.ts';
import { beginPartitionRun } from './begin-partition-run.ts';

export interface BackfillRecorder {
  /** Puts the next portion of the range's partitions into the store; true when all are there. */
  plan_partitions(of: { backfillId: string }): Promise<boolean>;
  next_partitions(of: { backfillId: string; limit: number; exclude: number[] }): Promise<PartitionPage>;
  /** Puts the run of a partition into the store, for its workflow to be started; null when nobody wants it any more. */
  begin_partition_run(of: PartitionInput & { plan: RunPlan }): Promise<PartitionRun | null>;
  /** Completes the partition if its run did, else answers by what that failed; null while the run is open. */
  end_partition_run(of: PartitionInput & { executionId: string }): Promise<PartitionRunEnd | null>;
  fail_partition(of: { backfillId: string; position: number; round: number; error: StoredError }): Promise<void>;
  /** Null when partitions are left to be processed. */
  close_backfill(of: {
    backfillId: string;
    cancelled: boolean;
    stoppedRound: number | null;
  }): Promise<(BackfillResult & { round: number }) | null>;
}

/** Rows of one statement, which PostgreSQL is given 1.5 s for. */
const PLANNED_AT_ONCE = 2_000;
const WORKFLOW_TYPE = 'DataBackfillWorkflow';

export function createBackfillRecorder({ store, metrics }: { store: Store; metrics: Metrics }): BackfillRecorder {
  /** Of the backfill that is being planned: reckoned once for all its portions. */
  let reckoned: { backfillId: string; ranges: TimeRange[] } | undefined;

  function rangesOf(row: BackfillRow): TimeRange[] {
    if (reckoned?.backfillId === row.backfillId) return reckoned.ranges;
    const range = { startMs: row.rangeStart.getTime(), endMs: row.rangeEnd.getTime() };
    const ranges = [...partitionsOf(range, row.size, row.timezone)];
    if (row.order === 'descending') ranges.reverse();
    reckoned = { backfillId: row.backfillId, ranges };
    return ranges;
  }

  /** A start that was taken back leaves a workflow without a backfill: trying again would not help. */
  async function found(backfillId: string): Promise<BackfillRow> {
    try {
      return await store.backfills.get(backfillId);
    } catch (error) {
      if (!(error instanceof ServiceError) || error.code !== 'RESOURCE_NOT_FOUND') throw error;
      throw ApplicationFailure.nonRetryable(error.message, 'BackfillAbandoned');
    }
  }

  return {
    async plan_partitions({ backfillId }) {
      const row = await found(backfillId);
      if (row.planned >= row.partitions) return true;
      const ranges = rangesOf(row);
      const portion = ranges.slice(row.planned, row.planned + PLANNED_AT_ONCE);
      if (portion.length === 0) {
        throw ApplicationFailure.nonRetryable('The time zone has changed since the backfill was submitted');
      }
      const outcomes = await store.partitions.outcomes(row.pipelineId, {
        startMs: Math.min(...portion.map(({ startMs }) => startMs)),
        endMs: Math.max(...portion.map(({ endMs }) => endMs)),
      });
      const partitions = portion.map((range, at): NewPartition => ({
        ...range,
        position: row.planned + at,
        skipped: skipReason(row.reprocess, outcomes.get(outcomeKey(range))),
      }));
      await store.partitions.plan(backfillId, partitions);
      if (row.planned + portion.length < row.partitions) return false;
      reckoned = undefined;
      return true;
    },

    async next_partitions({ backfillId, limit, exclude }) {
      const { control, round } = await store.backfills.get(backfillId);
      const partitions = control === 'CANCEL' ? [] : await store.partitions.next(backfillId, limit, exclude);
      return { control, round, partitions };
    },

    begin_partition_run: (partition) => beginPartitionRun({ store, metrics }, partition),

    async end_partition_run({ executionId, ...partition }) {
      const { status, result, reason, error } = await store.runs.get(executionId);
      if (status === 'RUNNING') return null;
      if (status !== 'COMPLETED') {
        return { completed: false, error: error ?? { type: 'RunEnded', message: reason ?? status } };
      }
      const { rows, bytes } = loadedBy(Object.values(result?.outputs ?? {}));
      await store.partitions.complete(partition, { rows, bytes });
      return { completed: true };
    },

    async fail_partition({ error, ...at }) {
      await store.partitions.fail(at, error);
    },

    async close_backfill({ backfillId, ...how }) {
      const closing = await store.backfills.close(backfillId, how);
      if (!closing.closed) return null;
      const { row, first } = closing;
      if (first) {
        const labels = { workflow_type: WORKFLOW_TYPE };
        const seconds =
          ((row.finishedAt ?? new Date()).getTime() - (row.startedAt ?? row.submittedAt).getTime()) / 1000;
        metrics.workflowDurationSeconds.observe(labels, Math.max(0, seconds));
        if (row.status === 'COMPLETED') metrics.workflowCompleted.inc(labels);
        else if (row.status === 'CANCELLED') metrics.workflowCancelled.inc(labels);
        else metrics.workflowFailed.inc(labels);
      }
      const { counts, rows } = await store.partitions.counts(backfillId);
      const { status, reason, round } = row;
      return { status, ...(reason !== null && { reason }), counts, rows, round };
    },
  };
}

function loadedBy(loads: readonly StepResult[]): { rows: number; bytes: number } {
  const total = (of: 'rows' | 'bytes') => loads.reduce((sum, load) => sum + (load[of] ?? 0), 0);
  return { rows: total('rows'), bytes: total('bytes') };
}
