/** What people say to a migration at work: yes or no at its gate, and stop. The same rules as for runs. */
import { WorkflowNotFoundError } from '@temporalio/client';
import { ServiceError } from '../errors.ts';
import type { SignalBody } from '../schemas/api-requests.ts';
import { gateOfRound } from '../schemas/migration-targets.ts';
import type { MigrationRow } from '../store/table-migrations.ts';
import { cancellationSignal } from '../workflows/messages.ts';
import type { Actor } from './actor.ts';
import { answerGate, deliverAnswer, type SignalDependencies } from './signal-run.ts';

export async function signalMigration(
  { store, temporal }: SignalDependencies,
  actor: Actor,
  { migrationId, round, status, decidedAt, workflowId }: MigrationRow,
  signal: SignalBody,
  reservedId: string,
): Promise<void> {
  if (status !== 'RUNNING') throw new ServiceError('CONFLICT', `The migration is closed: it is ${status}`);
  const audit = {
    tenant: actor.tenant,
    actor: actor.user,
    action: `migration.${signal.name}`,
    subject: migrationId,
    details: signal.data,
    requestId: actor.requestId,
  };
  if (signal.name === 'approval') {
    await answerGate(store, actor, gateOfRound(migrationId, round), { ...signal.data, answerId: reservedId }, audit);
    // It is recorded; the reconciler delivers what does not arrive now.
    await deliverAnswer(temporal, workflowId, reservedId).catch(() => undefined);
    return;
  }
  if (signal.name !== 'cancellation') {
    throw new ServiceError('CONFLICT', 'A migration cannot be paused: tables would stay half changed');
  }
  if (decidedAt !== null) {
    throw new ServiceError('CONFLICT', 'All tables are changed and verified; nothing is put back any more');
  }
  const { reason } = signal.data;
  try {
    await temporal.call((client) =>
      client.workflow.getHandle(workflowId).signal(cancellationSignal, reason === undefined ? {} : { reason }),
    );
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) throw new ServiceError('CONFLICT', 'The migration is not at work');
    throw error;
  }
  await store.audit.append(audit);
}
