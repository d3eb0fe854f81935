/**
 * What goes into and comes out of the workflows: inputs, results, signals, queries. The contract between those who
 * start a workflow and the workflow itself; small values and references only, since all of it stays in the history.
 */
import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { Dataset } from '../engines/dataset.ts';
import type { ActivityName } from '../schemas/definition.ts';

export const PIPELINE_WORKFLOW = 'DataPipelineWorkflow';

/** One activity of a run, as planned from the definition when the run was started. */
export interface PlannedStep {
  /** `extract:<source>`, `transform:<name>`, `load:<sink>` */
  step: string;
  activity: ActivityName;
  /** Names of the datasets that it reads: sources and transformations. */
  inputs: string[];
}

/** A row of the retry table (spec section 2); times in milliseconds. */
export interface ActivityPolicy {
  startToCloseMs: number;
  maximumAttempts: number;
  initialIntervalMs: number;
  maximumIntervalMs: number;
  backoffCoefficient: number;
}

export type NotificationKind = 'quality_issue' | 'failure' | 'completion';

export interface RunPlan {
  extractions: PlannedStep[];
  transformations: PlannedStep[];
  loads: PlannedStep[];
  /** What the pipeline overrides of the retry table. */
  policies: Partial<Record<ActivityName, Partial<ActivityPolicy>>>;
  gate: { timeoutMs: number; remindAfterMs: number[] };
  deadlineMs: number;
  heartbeatTimeoutMs: number;
  notifyOn: NotificationKind[];
  /** 1 (high) to 5 (low), Temporal's priority key. */
  priorityKey: number;
  /** Work only while fewer than this many runs of the pipeline do; null: no limit. */
  maxRuns: number | null;
  /** Absent: the embedded engine. */
  compute?: 'spark';
  /** Nobody is asked: quality below the threshold fails the run. */
  unattended?: true;
  /** Whose workers do the steps, instead of those of each step's own queue. */
  taskQueue?: 'backfill';
  /** What waits in one queue takes turns by this, so that nobody waits behind all of another's. */
  fairnessKey?: string;
  /** How often it has its turn, beside those of other keys; absent: 1. */
  fairnessWeight?: number;
}

/** Input of `DataPipelineWorkflow`. */
export interface PipelineRunInput {
  executionId: string;
  /** The first run of a chain of retries; loads are named after it. */
  rootExecutionId: string;
  tenant: string;
  pipelineId: string;
  pipelineName: string;
  revision: number;
  requestId: string;
  plan: RunPlan;
  /** Results of an earlier run of the same root, by step, that this run takes over (`gate` among them when it was approved). */
  reused: Record<string, StepResult>;
}

/** What a step's activity answers: counts and a reference. */
export interface StepResult {
  rows?: number;
  bytes?: number;
  output?: Dataset;
  externalUrl?: string;
  /** How far an incremental source was read; it becomes the pipeline's watermark when the run completes. */
  watermark?: Watermark;
}

export interface Watermark {
  source: string;
  column: string;
  /** Where this extraction started; null for the first. */
  from: string | null;
  /** The largest that it read, or `from` again; null when it started at the start and no row had one. */
  value: string | null;
}

export interface QualityResult extends StepResult {
  score: number;
  /** Whether a person must say yes: the score is below `min_score`, or a CRITICAL check failed. */
  needsApproval: boolean;
}

/** What every step's activity is called with. */
export interface StepInput {
  executionId: string;
  /** Of the request that started the run: it is in every line that is logged of it. */
  requestId: string;
  step: string;
  inputs: Record<string, Dataset>;
  /** Instead of working: end what earlier attempts left running in another system. */
  stop?: true;
}

/** How a run ended. */
export type RunOutcome = 'COMPLETED' | 'FAILED' | 'CANCELLED' | 'ROLLED_BACK' | 'TERMINATED' | 'TIMED_OUT';
export type RunStatus = 'RUNNING' | RunOutcome;

/** Result of `DataPipelineWorkflow` (spec section 2). */
export interface PipelineRunResult {
  status: RunOutcome;
  reason?: string;
  rowsProcessed: number;
  durationMs: number;
  /** By sink: what was written. */
  outputs: Record<string, StepResult>;
}

export type StepStatus = 'PENDING' | 'RUNNING' | 'COMPLETED' | 'FAILED' | 'CANCELLED' | 'SKIPPED';

export interface StepProgress {
  step: string;
  /** Activity type name; `wait_for_approval` for the gate. */
  activity: string;
  status: StepStatus;
  /** ISO 8601. */
  startedAt?: string;
  finishedAt?: string;
  error?: string;
}

/** Answer of the `progress` query. */
export interface RunProgress {
  status: RunStatus;
  paused: boolean;
  /** Activity type of the first running step, `wait_for_approval`, `wait_for_slot`, or null. */
  currentActivity: string | null;
  pendingSignals: string[];
  steps: StepProgress[];
  /** What happened on the side: failed notifications, signals that were ignored. */
  notes: string[];
}

export type GateAnswerKind = 'approved' | 'rejected' | 'expired' | 'closed';

/** The recorded answer of a gate. */
export interface GateAnswer {
  answerId: string;
  kind: GateAnswerKind;
  answeredBy: string;
  comment?: string;
}

/** Says that an answer was recorded; the workflow reads the record, never this signal, to learn what it was. */
export const approvalSignal = defineSignal<[{ answerId?: string }]>('approval');
export const cancellationSignal = defineSignal<[{ reason?: string }]>('cancellation');
export const pauseSignal = defineSignal('pause');
export const resumeSignal = defineSignal('resume');
/** A slot of `concurrency.max_runs` may be free. */
export const slotFreedSignal = defineSignal('slotFreed');
export const progressQuery = defineQuery<RunProgress>('progress');
