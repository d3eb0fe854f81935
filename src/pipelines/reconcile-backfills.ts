/** Backfills that are open in the store and whose workflow is not at work: it was never started, or has ended meanwhile. */
import { WorkflowNotFoundError } from '@temporalio/client';
import type { BackfillRow } from '../store/backfills.ts';
import type { Store } from '../store/store.ts';
import type { TemporalCalls } from '../temporal/temporal-calls.ts';
import type { BackfillWaker } from './backfill-waker.ts';

const AT_ONCE = 50;

/** @param settledBefore what is younger is most likely being delivered right now */
export async function reconcileBackfills(
  dependencies: { store: Store; temporal: TemporalCalls; waker: BackfillWaker },
  settledBefore: Date,
): Promise<void> {
  let last = '';
  for (;;) {
    const open = await dependencies.store.backfills.open(AT_ONCE, last);
    for (const backfill of open) {
      if ((backfill.startedAt ?? backfill.submittedAt) < settledBefore) await settle(dependencies, backfill);
    }
    if (open.length < AT_ONCE) return;
    last = open.at(-1)?.backfillId ?? '';
  }
}

async function settle(
  { store, temporal, waker }: { store: Store; temporal: TemporalCalls; waker: BackfillWaker },
  backfill: BackfillRow,
): Promise<void> {
  const ended = await endOf(temporal, backfill.workflowId);
  if (ended === 'at-work') return;
  // One that was opened again after that goes on: a retry whose workflow nobody has started yet.
  const terminated = ended?.terminated === true && ended.at > (backfill.startedAt ?? backfill.submittedAt);
  if (terminated) await store.backfills.terminate(backfill.backfillId);
  else await waker.wake(backfill);
}

/** Undefined when Temporal knows no such workflow. */
async function endOf(
  temporal: TemporalCalls,
  workflowId: string,
): Promise<'at-work' | { terminated: boolean; at: Date } | undefined> {
  try {
    const { status, closeTime } = await temporal.call((client) => client.workflow.getHandle(workflowId).describe());
    if (status.name === 'RUNNING') return 'at-work';
    return { terminated: status.name === 'TERMINATED', at: closeTime ?? new Date(0) };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
