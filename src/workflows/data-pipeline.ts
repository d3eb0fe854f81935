/**
 * One run of a pipeline (spec section 2): extract, check quality, wait for a person when it is not good enough,
 * transform, load, notify. The store is told how it began and how it ended; everything between is one activity a step.
 */
import {
  ApplicationFailure,
  CancelledFailure,
  CancellationScope,
  condition,
  isCancellation,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import { reasonOf } from './activity-failure.ts';
import { type GateSignals, waitForApproval } from './gate.ts';
import {
  approvalSignal,
  cancellationSignal,
  type PipelineRunInput,
  type PipelineRunResult,
  pauseSignal,
  progressQuery,
  type QualityResult,
  resumeSignal,
  type RunOutcome,
  slotFreedSignal,
  type StepResult,
} from './messages.ts';
import { notify } from './notify.ts';
import { recorder } from './run-recorder.ts';
import { type RunContext, runStep } from './run-step.ts';
import { RunTracker } from './run-tracker.ts';
import { together } from './together.ts';

/** A slot is looked for this often even when nobody says that one is free. */
const SLOT_POLL_MS = 30_000;

/** How `begin_run` says that the run was given up before its workflow began. */
const RUN_ABANDONED = 'RunAbandoned';

const BELOW_THRESHOLD = 'Quality below threshold';

/** Why a run ends otherwise than by finishing its work. */
interface Stop {
  status: Exclude<RunOutcome, 'COMPLETED'>;
  reason: string;
  /** For an operator: the type of the failure that Temporal shows. */
  type?: string;
}

export async function DataPipelineWorkflow(input: PipelineRunInput): Promise<PipelineRunResult> {
  const startedAtMs = Date.now();
  const run: RunContext = { input, tracker: new RunTracker(input), outputs: new Map(), results: new Map() };
  const signals: GateSignals & { slots: number } = { received: 0, slots: 0 };
  const work = new CancellationScope();
  let stop: Stop | undefined;

  setHandler(progressQuery, () => run.tracker.progress());
  setHandler(approvalSignal, () => {
    signals.received += 1;
  });
  setHandler(slotFreedSignal, () => {
    signals.slots += 1;
  });
  setHandler(pauseSignal, () => {
    run.tracker.paused = true;
  });
  setHandler(resumeSignal, () => {
    run.tracker.paused = false;
  });
  setHandler(cancellationSignal, ({ reason } = {}) => {
    stop ??= { status: 'CANCELLED', reason: reason ?? 'Cancelled' };
    work.cancel();
  });

  let cancelledFromOutside: unknown;
  try {
    await work.run(async () => {
      await recorder.begin_run({ executionId: input.executionId, runId: workflowInfo().runId });
      await waitForSlot(run, signals);
      void sleep(input.plan.deadlineMs).then(
        () => {
          stop ??= { status: 'TIMED_OUT', reason: 'Deadline exceeded', type: 'DeadlineExceeded' };
          work.cancel();
        },
        () => undefined, // The work ended first.
      );
      const refusal = await doTheWork(run, signals);
      stop ??= refusal;
      work.cancel(); // Ends the deadline's timer, and nothing else: all the work is done.
    });
  } catch (error) {
    // A start that was taken back: there is no run to close, and nobody to tell.
    if (typeOf(error) === RUN_ABANDONED) throw ApplicationFailure.nonRetryable(reasonOf(error), RUN_ABANDONED);
    if (!isCancellation(error)) stop ??= { status: 'FAILED', reason: reasonOf(error), type: typeOf(error) };
    else if (stop === undefined) {
      stop = { status: 'CANCELLED', reason: 'Cancelled' };
      cancelledFromOutside = error;
    }
  }
  const ended = stop;
  return await CancellationScope.nonCancellable(async () => {
    const result = await close(run, ended, startedAtMs);
    if (cancelledFromOutside !== undefined) throw new CancelledFailure(result.reason ?? 'Cancelled', [result]);
    if (ended?.type !== undefined) {
      throw ApplicationFailure.create({
        message: ended.reason,
        type: ended.type,
        nonRetryable: true,
        details: [result],
      });
    }
    return result;
  });
}

/** The story; answers why the gate refused, if it did. */
async function doTheWork(run: RunContext, signals: GateSignals): Promise<Stop | undefined> {
  const { plan } = run.input;
  await together(plan.extractions.map((extraction) => () => runStep(run, extraction)));

  const sources = plan.extractions.map(({ step }) => step.slice('extract:'.length));
  const quality = await runStep<QualityResult>(run, { step: 'quality', activity: 'validate_quality', inputs: sources });
  const refusal = await passGate(run, quality, signals);
  if (refusal !== undefined) return refusal;

  const transformed = new Map<string, Promise<unknown>>();
  await together(
    plan.transformations.map((transformation) => () => {
      const needed = transformation.inputs.flatMap((name) => transformed.get(name) ?? []);
      const done = Promise.all(needed).then(() => runStep(run, transformation));
      transformed.set(transformation.step.slice('transform:'.length), done);
      return done;
    }),
  );
  await together(plan.loads.map((load) => () => runStep(run, load)));
  return undefined;
}

async function passGate(run: RunContext, quality: QualityResult, signals: GateSignals): Promise<Stop | undefined> {
  const { tracker, input } = run;
  if ('gate' in input.reused) return undefined;
  if (!quality.needsApproval) {
    tracker.finished('gate', 'SKIPPED');
    return undefined;
  }
  if (input.plan.unattended === true) {
    tracker.finished('gate', 'FAILED', BELOW_THRESHOLD);
    return { status: 'FAILED', reason: BELOW_THRESHOLD, type: 'QualityBelowThreshold' };
  }
  const answer = await waitForApproval(run, signals);
  if (answer.kind === 'approved') {
    tracker.finished('gate', 'COMPLETED');
    return undefined;
  }
  const reason = answer.kind === 'rejected' ? `Rejected by ${answer.answeredBy}` : BELOW_THRESHOLD;
  tracker.finished('gate', 'FAILED', reason);
  return { status: 'CANCELLED', reason };
}

async function waitForSlot({ input, tracker }: RunContext, signals: { slots: number }): Promise<void> {
  const { maxRuns } = input.plan;
  if (maxRuns === null) return;
  tracker.waitsForSlot = true;
  for (;;) {
    const seen = signals.slots;
    if (await recorder.acquire_slot({ executionId: input.executionId, maxRuns })) break;
    await condition(() => signals.slots > seen, SLOT_POLL_MS);
  }
  tracker.waitsForSlot = false;
}

/** Tells people, then the store, how the run ended. */
async function close(run: RunContext, stop: Stop | undefined, startedAtMs: number): Promise<PipelineRunResult> {
  const { tracker, input } = run;
  // A refusal is an answer, not a failure: those concerned gave it, or were asked for it.
  const kind = stop === undefined ? 'completion' : stop.status === 'CANCELLED' ? undefined : 'failure';
  if (kind !== undefined) {
    tracker.started('notify', kind === 'failure' ? 'notify_failure' : 'notify_pipeline_completion');
    const told = await notify(run, kind, stop?.reason);
    tracker.finished('notify', told ? 'COMPLETED' : input.plan.notifyOn.includes(kind) ? 'FAILED' : 'SKIPPED');
  }
  const outputs = Object.fromEntries(
    input.plan.loads.flatMap(({ step }): [string, StepResult][] => {
      const result = run.results.get(step);
      return result === undefined ? [] : [[step.slice('load:'.length), result]];
    }),
  );
  const result: PipelineRunResult = {
    status: stop?.status ?? 'COMPLETED',
    ...(stop !== undefined && { reason: stop.reason }),
    rowsProcessed: Object.values(outputs).reduce((total, { rows }) => total + (rows ?? 0), 0),
    durationMs: Date.now() - startedAtMs,
    outputs,
  };
  tracker.settleRemaining(stop?.status === 'CANCELLED' ? 'CANCELLED' : 'SKIPPED');
  await recorder.close_run({
    executionId: input.executionId,
    result,
    steps: tracker.steps(),
    notes: tracker.progress().notes,
    bytesProcessed: [...run.results.values()].reduce((total, { bytes }) => total + (bytes ?? 0), 0),
    watermarks: [...run.results.values()].flatMap(({ watermark }) => watermark ?? []),
    ...(stop?.type !== undefined && { error: { type: stop.type, message: stop.reason } }),
  });
  tracker.status = result.status;
  return result;
}

function typeOf(error: unknown): string {
  let root = error;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  return root instanceof ApplicationFailure && root.type ? root.type : 'StepFailed';
}
