/**
 * A range of time, partition by partition (spec section 2, DataBackfillWorkflow). Which partitions there are, how far each
 * is and what people want of the backfill stands in the store; this workflow keeps as many of them at work as it may,
 * the next as soon as one ends. Signals only say that it is worth looking, so none can be lost: a new run of the workflow
 * (continue-as-new) begins with looking.
 */
import {
  ApplicationFailure,
  CancelledFailure,
  CancellationScope,
  continueAsNew,
  isCancellation,
  proxyLocalActivities,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { BackfillRecorder } from '../activities/backfill-recorder.ts';
import { backfillChangedSignal, type BackfillInput, type BackfillResult } from './backfill-messages.ts';
import { notifyOfBackfill } from './notify-of-backfill.ts';
import { PartitionWindow } from './partition-window.ts';

/** Looked at this often even when nobody says so: a signal that Temporal never got. */
const LOOK_EVERY_MS = 60_000;
/** Well below the 10,000 that a history may have, with room for what is at work then. */
const HISTORY_EVENTS = 4_000;

const recorder = proxyLocalActivities<BackfillRecorder>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '200ms', maximumInterval: '10s', backoffCoefficient: 2 },
});

export async function DataBackfillWorkflow(input: BackfillInput): Promise<BackfillResult> {
  const { backfillId } = input;
  const window = new PartitionWindow(input, recorder);
  setHandler(backfillChangedSignal, () => {
    window.told += 1;
  });
  lookNowAndThen(window).catch(() => undefined); // It was cancelled with everything else.

  let cancelledFromOutside: unknown;
  let notifiedRound: number | undefined;
  for (;;) {
    const seen = window.told;
    let ended: 'drained' | 'cancelled' | 'history-is-long' = 'cancelled';
    try {
      if (cancelledFromOutside === undefined) ended = await workOff(window, input);
    } catch (error) {
      if (!isCancellation(error)) throw error;
      cancelledFromOutside = error;
    }
    if (ended === 'history-is-long')
      return continueAsNew<typeof DataBackfillWorkflow>({ ...input, carried: window.carried() });
    const closed = await CancellationScope.nonCancellable(async () => {
      await window.idle();
      const { stoppedRound } = window;
      return recorder.close_backfill({ backfillId, cancelled: cancelledFromOutside !== undefined, stoppedRound });
    });
    if (closed === null) continue;
    const { round, ...result } = closed;
    if (notifiedRound !== round) await notifyOfBackfill(input, result, round);
    notifiedRound = round;
    // Somebody asked for something since: for a retry, say, of what has just ended.
    if (window.told > seen) continue;
    return outcome(result, cancelledFromOutside);
  }
}

function outcome(result: BackfillResult, cancelledFromOutside: unknown): BackfillResult {
  const reason = result.reason ?? result.status;
  if (cancelledFromOutside !== undefined) throw new CancelledFailure(reason, [result]);
  if (result.status !== 'FAILED') return result;
  throw ApplicationFailure.create({ message: reason, type: 'PartitionsFailed', nonRetryable: true, details: [result] });
}

async function workOff(
  window: PartitionWindow,
  { backfillId }: BackfillInput,
): Promise<'drained' | 'cancelled' | 'history-is-long'> {
  while (!(await recorder.plan_partitions({ backfillId })));
  for (;;) {
    await window.look();
    if (window.control === 'CANCEL') {
      await window.cancel();
      return 'cancelled';
    }
    const long = isLong();
    if (!long) window.fill();
    if (window.isIdle) {
      if (long) return 'history-is-long';
      if (window.isDrained) return 'drained';
    }
    await window.change();
  }
}

function isLong(): boolean {
  const { historyLength, continueAsNewSuggested } = workflowInfo();
  return historyLength > HISTORY_EVENTS || continueAsNewSuggested;
}

async function lookNowAndThen(window: PartitionWindow): Promise<void> {
  for (;;) {
    await sleep(LOOK_EVERY_MS);
    window.told += 1;
  }
}
