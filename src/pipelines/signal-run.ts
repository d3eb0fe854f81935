/** `POST /v1/pipelines/workflows/{workflowId}/signal` (spec section 4): answers of people, and the hand brake. */
import { WorkflowNotFoundError } from '@temporalio/client';
import { ServiceError } from '../errors.ts';
import type { SignalBody } from '../schemas/api-requests.ts';
import type { NewAuditEntry } from '../store/audit.ts';
import type { Store } from '../store/store.ts';
import type { TemporalCalls } from '../temporal/temporal-calls.ts';
import { approvalSignal, cancellationSignal, pauseSignal, resumeSignal } from '../workflows/messages.ts';
import type { Actor } from './actor.ts';

export interface SignalDependencies {
  store: Store;
  temporal: TemporalCalls;
}

export async function signalRun(
  { store, temporal }: SignalDependencies,
  actor: Actor,
  workflowId: string,
  signal: SignalBody,
  reservedId: string,
): Promise<void> {
  const run = await store.runs.findByWorkflowId(actor.tenant, workflowId);
  if (run === undefined) throw new ServiceError('RESOURCE_NOT_FOUND', `There is no workflow ${workflowId}`);
  if (run.status !== 'RUNNING') throw new ServiceError('CONFLICT', `The run is closed: it is ${run.status}`);
  const audit = {
    tenant: actor.tenant,
    actor: actor.user,
    action: `run.${signal.name}`,
    subject: run.executionId,
    details: signal.data,
    requestId: actor.requestId,
  };
  if (signal.name === 'approval') {
    await answerGate(store, actor, run.executionId, { ...signal.data, answerId: reservedId }, audit);
    // It is recorded; the reconciler delivers what does not arrive now.
    await deliverAnswer(temporal, workflowId, reservedId).catch(() => undefined);
    return;
  }
  try {
    await temporal.call(async (client) => {
      const handle = client.workflow.getHandle(workflowId);
      if (signal.name === 'pause') await handle.signal(pauseSignal);
      else if (signal.name === 'resume') await handle.signal(resumeSignal);
      else
        await handle.signal(cancellationSignal, signal.data.reason === undefined ? {} : { reason: signal.data.reason });
    });
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) throw new ServiceError('CONFLICT', 'The run is closed');
    throw error;
  }
  await store.audit.append(audit);
}

type ApprovalData = Extract<SignalBody, { name: 'approval' }>['data'] & { answerId: string };

/**
 * Records what a person says, if it counts.
 *
 * @param key of the gate: the execution, or the round of a migration
 * @throws ServiceError FORBIDDEN for who may not answer, CONFLICT when the gate is not open, answered, or too late
 */
export async function answerGate(
  store: Store,
  actor: Actor,
  key: string,
  { approved, comment, answerId }: ApprovalData,
  audit: NewAuditEntry,
): Promise<void> {
  const gate = await store.gates.find(key);
  if (gate !== undefined && !mayAnswer(actor, gate.approvers)) {
    throw new ServiceError('FORBIDDEN', `This gate is answered by ${gate.approvers.join(', ')}`);
  }
  const { outcome } = await store.transaction(async ({ gates, audit: auditLog }) => {
    const answering = await gates.answer({
      executionId: key,
      answerId,
      kind: approved ? 'approved' : 'rejected',
      by: actor.user,
      comment,
    });
    if (answering.outcome === 'recorded') await auditLog.append(audit);
    return answering;
  });
  if (outcome === 'recorded') return;
  const REFUSALS = {
    'not-open': 'The gate is not open',
    'already-answered': 'The gate has already been answered',
    'too-late': "The gate's deadline has passed",
  };
  throw new ServiceError('CONFLICT', REFUSALS[outcome]);
}

/** `approvers` names roles and users; nobody named means whoever has the role `approver`. */
function mayAnswer(actor: Actor, approvers: readonly string[]): boolean {
  if (approvers.length === 0 || actor.roles.includes('tenant_admin')) return true;
  return approvers.some(
    (who) =>
      who === actor.user ||
      who === `user:${actor.user}` ||
      (who.startsWith('role:') && actor.roles.includes(who.slice(5))),
  );
}

/** Tells the workflow that an answer stands in the store. */
export async function deliverAnswer(temporal: TemporalCalls, workflowId: string, answerId: string): Promise<void> {
  await temporal.call((client) => client.workflow.getHandle(workflowId).signal(approvalSignal, { answerId }));
}
