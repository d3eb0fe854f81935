/** What goes into and comes out of `DataBackfillWorkflow`, its activity and its local activities. */
import { defineSignal } from '@temporalio/workflow';
import type { PipelineRunInput, RunPlan } from './messages.ts';

export const BACKFILL_WORKFLOW = 'DataBackfillWorkflow';

export type PartitionState = 'PENDING' | 'RUNNING' | 'COMPLETED' | 'FAILED' | 'SKIPPED' | 'CANCELLED';
export type BackfillStatus = 'RUNNING' | 'COMPLETED' | 'FAILED' | 'CANCELLED' | 'TERMINATED';
/** What people want of it. It stands in the store; the signal only says that it is worth looking. */
export type BackfillControl = 'RUN' | 'PAUSE' | 'CANCEL';

/** Input of `DataBackfillWorkflow`: what its pages and its control are found by, and how partitions are tried. */
export interface BackfillInput {
  backfillId: string;
  requestId: string;
  concurrency: number;
  onFailure: 'continue' | 'stop';
  plan: Pick<
    RunPlan,
    'policies' | 'heartbeatTimeoutMs' | 'priorityKey' | 'fairnessKey' | 'fairnessWeight' | 'notifyOn'
  >;
  /** Of the run that each partition is, when steps of the pipeline work in other systems; absent: `process_partition`. */
  runPlan?: RunPlan;
  /** Carried over continue-as-new. */
  carried?: BackfillCarried;
}

export interface BackfillCarried {
  /** The round in which a partition failed and `onFailure` is `stop`: nothing of it is begun any more. */
  stoppedRound: number | null;
}

/** One partition to be processed; half-open, milliseconds since 1970. */
export interface PartitionRef {
  position: number;
  /** In which round it is processed. */
  round: number;
  startMs: number;
  endMs: number;
}

/** What `next_partitions` answers. */
export interface PartitionPage {
  control: BackfillControl;
  /** One more with each retry. */
  round: number;
  partitions: PartitionRef[];
}

/** What `process_partition` is called with. */
export interface PartitionInput extends PartitionRef {
  backfillId: string;
  requestId: string;
}

/** The run of a partition, as `begin_partition_run` put it into the store; with its plan it is the workflow's input. */
export interface PartitionRun {
  workflowId: string;
  run: Omit<PipelineRunInput, 'plan' | 'reused'>;
}

/** How the run of a partition ended, as it stands in the store. */
export type PartitionRunEnd = { completed: true } | { completed: false; error: { type: string; message: string } };

export interface PartitionResult {
  rows: number;
}

/** Result of `DataBackfillWorkflow`. */
export interface BackfillResult {
  status: BackfillStatus;
  reason?: string;
  counts: Partial<Record<PartitionState, number>>;
  rows: number;
}

/** Something was asked of the backfill: what, stands in the store. */
export const backfillChangedSignal = defineSignal('backfillChanged');
