/**
 * A migration of tables in several systems (spec section 2, SchemaMigrationWorkflow): all of them are changed, or none is.
 * Whatever may have been applied is known before it is applied, and is put back in reverse order when anything fails, or when
 * somebody cancels. What was done to each table stands in the store and in the tables themselves, so the steps may be
 * repeated; this workflow says which comes next.
 */
import {
  ApplicationFailure,
  CancelledFailure,
  CancellationScope,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { reasonOf } from './activity-failure.ts';
import { type GateSignals, waitForAnswer } from './gate.ts';
import { approvalSignal, cancellationSignal } from './messages.ts';
import type { LeftToDo, MigrationInput, MigrationPlan, MigrationResult } from './migration-messages.ts';
import { recorder } from './migration-recorder.ts';
import { type MigrationVerb, type StepCaller, stepCaller } from './migration-steps.ts';
import { notifyOfMigration } from './notify-of-migration.ts';

/** Why not all of it was done. */
interface Stop {
  status: 'ROLLED_BACK' | 'CANCELLED';
  reason: string;
}

/** A migration at work. */
interface Migration {
  input: MigrationInput;
  plan: MigrationPlan;
  call: StepCaller;
  /** Targets that may have been applied, in the order of that; each is here before it is. */
  applied: number[];
  /** Targets of which a backup may be there. */
  backedUp: number[];
  /** Every target is as it should be, and this is recorded: nothing is put back any more. */
  decided: boolean;
  notes: string[];
}

export async function SchemaMigrationWorkflow(input: MigrationInput): Promise<MigrationResult> {
  const signals: GateSignals = { received: 0 };
  const work = new CancellationScope();
  let stop: Stop | undefined;
  setHandler(approvalSignal, () => {
    signals.received += 1;
  });
  setHandler(cancellationSignal, ({ reason } = {}) => {
    stop ??= { status: 'CANCELLED', reason: reason ?? 'Cancelled' };
    work.cancel();
  });

  const { migrationId } = input;
  const { runId } = workflowInfo();
  const plan = await CancellationScope.nonCancellable(() => recorder.begin_migration({ migrationId, runId }));
  if (plan === null) throw ApplicationFailure.nonRetryable('There is nothing left of it to be done', 'MigrationOver');
  const { restore: applied, release: backedUp } = plan;
  const call = stepCaller(input, plan);
  const migration: Migration = { input, plan, call, applied, backedUp, decided: false, notes: [] };

  let cancelledFromOutside: unknown;
  try {
    const ended = await work.run(() => story(migration, signals));
    stop ??= ended;
  } catch (error) {
    if (!isCancellation(error)) stop ??= { status: 'ROLLED_BACK', reason: reasonOf(error) };
    else if (stop === undefined) {
      stop = { status: 'CANCELLED', reason: 'Cancelled' };
      cancelledFromOutside = error;
    }
  }
  const why = migration.decided ? undefined : stop;
  return CancellationScope.nonCancellable(async () => {
    const result = await close(migration, why);
    if (result.status === 'FAILED') {
      const message = result.reason ?? 'Not everything could be put back';
      throw ApplicationFailure.create({ message, type: 'RestoreFailed', nonRetryable: true, details: [result] });
    }
    if (cancelledFromOutside !== undefined && !migration.decided) throw new CancelledFailure('Cancelled', [result]);
    return result;
  });
}

/** Answers why it stopped before all was done; what fails on the way is thrown. */
async function story(migration: Migration, signals: GateSignals): Promise<Stop | undefined> {
  const { plan, call } = migration;
  if (plan.task === 'RESTORE') return { status: 'ROLLED_BACK', reason: plan.reason };
  const positions = [...plan.targets.keys()];

  await onEach('validate', positions, migration);
  if (plan.task === 'VALIDATE') return undefined;
  const refusal = plan.requiresApproval ? await passGate(migration, signals) : undefined;
  if (refusal !== undefined) return refusal;

  for (const position of positions) {
    migration.backedUp.push(position);
    await call('backup', position);
  }
  for (const position of positions) {
    migration.applied.push(position);
    await call('apply', position);
  }
  await onEach('verify', positions, migration);

  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('Cancelled');
  const { migrationId } = migration.input;
  await CancellationScope.nonCancellable(() => recorder.decide_migration({ migrationId, round: plan.round }));
  migration.decided = true;
  return undefined;
}

/** What only looks at tables looks at all of them, so that everything that is wrong is told at once. */
async function onEach(verb: MigrationVerb, positions: number[], { plan, call }: Migration): Promise<void> {
  const ended = await Promise.allSettled(positions.map((position) => call(verb, position)));
  const failures = ended.flatMap((one, position) =>
    one.status === 'rejected' ? [{ position, reason: one.reason as unknown }] : [],
  );
  const cancelled = failures.find(({ reason }) => isCancellation(reason));
  if (cancelled !== undefined) throw cancelled.reason;
  if (failures.length === 0) return;
  const reasons = failures.map(({ position, reason }) => `${plan.targets[position] ?? position}: ${reasonOf(reason)}`);
  throw ApplicationFailure.nonRetryable(reasons.join('; '), verb === 'validate' ? 'NotValid' : 'NotVerified');
}

async function passGate(migration: Migration, signals: GateSignals): Promise<Stop | undefined> {
  const { input, plan } = migration;
  const { migrationId } = input;
  const { round, gateTimeoutMs: timeoutMs } = plan;
  const { gate, openedAtMs, deadlineAtMs } = await recorder.open_migration_gate({ migrationId, round, timeoutMs });
  const note = (text: string): void => {
    migration.notes.push(text);
  };
  const tell = (): void => {
    void notifyOfMigration(input, { migrationId, round, kind: 'approval' }).then((failure) => {
      if (failure !== undefined) note(failure);
    });
  };
  const open = { executionId: gate, openedAtMs, deadlineAtMs, remindAfterMs: [], tell, note };
  const answer = await waitForAnswer(open, signals, recorder);
  const reason = answer.kind === 'rejected' ? `Rejected by ${answer.answeredBy}` : 'Nobody approved';
  const step = { migrationId, step: 'gate' };
  if (answer.kind === 'approved') {
    await recorder.end_migration_step({ ...step, status: 'COMPLETED' });
    return undefined;
  }
  await recorder.end_migration_step({ ...step, status: 'FAILED', error: reason });
  return { status: 'CANCELLED', reason };
}

/** Puts back what has to be, lets go of the backups, tells people, then the store. */
async function close(migration: Migration, stop: Stop | undefined): Promise<MigrationResult> {
  const { input, plan, notes } = migration;
  const { migrationId } = input;
  const { round } = plan;
  const leftToDo = stop === undefined ? [] : await restoreAll(migration);
  await releaseAll(migration, leftToDo);
  const result: MigrationResult = {
    ...outcome(stop, leftToDo),
    round,
    ...(leftToDo.length > 0 && { leftToDo }),
  };
  const { status, reason } = result;
  if (plan.task !== 'VALIDATE' && status !== 'CANCELLED') {
    const kind = status === 'COMPLETED' ? 'completion' : status === 'FAILED' ? 'failure' : 'rollback';
    const failure = await notifyOfMigration(input, {
      migrationId,
      round,
      kind,
      ...(reason !== undefined && { reason }),
    });
    if (failure !== undefined) notes.push(failure);
  }
  if (notes.length > 0) result.notes = notes;
  await recorder.close_migration({ migrationId, result, ...(stop !== undefined && { cause: stop.reason }) });
  return result;
}

function outcome(stop: Stop | undefined, leftToDo: LeftToDo[]): Pick<MigrationResult, 'status' | 'reason'> {
  if (leftToDo.length === 0) return stop ?? { status: 'COMPLETED' };
  const targets = leftToDo.map(({ target }) => target).join(', ');
  return { status: 'FAILED', reason: `${stop?.reason ?? ''}; not put back: ${targets}` };
}

/** In reverse order; one that cannot be put back keeps none of the others from it. */
async function restoreAll({ plan, call, applied }: Migration): Promise<LeftToDo[]> {
  const left: LeftToDo[] = [];
  for (const position of applied.toReversed()) {
    try {
      await call('restore', position);
    } catch (error) {
      left.push({ position, target: plan.targets[position] ?? String(position), what: reasonOf(error) });
    }
  }
  return left;
}

/** Of what is left to be put back the backup is kept. */
async function releaseAll({ plan, call, backedUp, notes }: Migration, left: LeftToDo[]): Promise<void> {
  const kept = new Set(left.map(({ position }) => position));
  for (const position of backedUp) {
    if (kept.has(position)) continue;
    try {
      await call('release', position);
    } catch (error) {
      notes.push(`the backup of ${plan.targets[position] ?? position} could not be released: ${reasonOf(error)}`);
    }
  }
}
