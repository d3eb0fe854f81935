/**
 * What every activity of a migration has around its one effect on one table: heartbeats from its start, the step's record,
 * cancellation, errors as Temporal understands them, and secrets in none of all that.
 */
import { randomUUID } from 'node:crypto';
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import type { Logger } from 'pino';
import type { EngineContext } from '../engines/dataset.ts';
import { redactor } from '../engines/dbt/redaction.ts';
import type { TableMigration, TableMigrator } from '../engines/migrations/table-migrator.ts';
import { EngineError } from '../errors.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { JsonObject } from '../schemas/json.ts';
import type { IcebergTarget, MigrationDocument, MigrationTarget, PostgresTarget } from '../schemas/migration.ts';
import type { Store } from '../store/store.ts';
import type { MigrationRow } from '../store/table-migrations.ts';
import type { MigrationStepInput } from '../workflows/migration-messages.ts';
import type { SecretResolver } from './secrets.ts';
import { heartbeating } from './step-activity.ts';
import { toFailure } from './step-failure.ts';

/** Restores come last, in the order in which they are done. */
const RESTORE_PLACE = 500;

/** Each can do what it does to tables of its system. */
interface TableMigrators {
  iceberg: TableMigrator<IcebergTarget>;
  postgres: TableMigrator<PostgresTarget>;
}

export interface MigrationDependencies {
  store: Store;
  metrics: Metrics;
  logger: Logger;
  secrets: SecretResolver;
  migrators: TableMigrators;
}

/** What a step works with. */
export interface MigrationWork {
  input: MigrationStepInput;
  migration: MigrationRow;
  document: MigrationDocument;
  /** With its secrets in it: nothing of it goes anywhere but to its engine. */
  target: MigrationTarget;
  /** As it was sent. */
  written: MigrationTarget;
  context: EngineContext;
  /** The target's engine, called with what it is to change. */
  table: TableCalls;
}

/** A migrator with its target. */
type TableCalls = {
  [Method in keyof TableMigrator<unknown>]: TableMigrator<unknown>[Method] extends (
    migration: never,
    ...rest: infer Rest
  ) => infer Answer
    ? (...rest: Rest) => Answer
    : never;
};

/** @param work answers what is recorded of the step */
export function migrationStep(
  dependencies: MigrationDependencies,
  work: (step: MigrationWork) => Promise<JsonObject>,
): (input: MigrationStepInput) => Promise<void> {
  const { store, metrics, logger } = dependencies;
  return (input) =>
    heartbeating(async () => {
      const { migrationId, requestId, round, position, step } = input;
      const { cancellationSignal, info } = Context.current();
      const { activityType, attempt } = info;
      const attemptToken = randomUUID();
      const startedAtMs = performance.now();
      if (attempt > 1) metrics.activityRetries.inc({ activity_type: activityType });
      const lines = logger.child({ requestId, migrationId, step, attempt });
      let redact = (text: string): string => text;
      const log: EngineContext['log'] = (level, message) => {
        lines[level](redact(message));
      };
      const finish = async (outcome: Parameters<Store['migrationSteps']['finished']>[1]): Promise<void> => {
        const labels = { activity_type: activityType, outcome: outcome.status.toLowerCase() };
        metrics.activityExecutionSeconds.observe(labels, (performance.now() - startedAtMs) / 1000);
        await store.migrationSteps.finished({ migrationId, step, attemptToken }, outcome);
      };
      try {
        const place = step.startsWith('restore:') ? RESTORE_PLACE - position : 0;
        const begun = { migrationId, round, step, activity: activityType, position, place, attemptToken };
        if (!(await store.migrationSteps.started(begun))) {
          throw ApplicationFailure.nonRetryable('The migration does not want this step any more', 'MigrationOver');
        }
        const migration = await store.migrations.get(migrationId);
        const document = migration.document as unknown as MigrationDocument;
        const written = targetOf(document, position);
        const { target, secrets } = await withSecrets(dependencies.secrets, migration.tenant, written);
        redact = redactor(secrets);
        const context: EngineContext = { signal: cancellationSignal, log, progress: () => undefined };
        const name = `${migrationId}.${round}/${position}`;
        const table = tableCalls(dependencies.migrators, { name, signal: cancellationSignal, log }, target);
        const result = await work({ input, migration, document, target, written, context, table });
        await finish({ status: 'COMPLETED', result });
      } catch (error) {
        const told = toFailure(error, cancellationSignal);
        const failure = told instanceof CancelledFailure ? told : withoutSecrets(told, redact);
        const cancelled = failure instanceof CancelledFailure;
        log(cancelled ? 'warn' : 'error', failure.message);
        const type = (failure instanceof ApplicationFailure ? failure.type : undefined) ?? failure.name;
        await finish({
          status: cancelled ? 'CANCELLED' : 'FAILED',
          error: { type, message: failure.message },
        }).catch((unrecorded: unknown) => {
          lines.warn({ err: unrecorded }, 'step outcome not recorded');
        });
        throw failure;
      }
    });
}

function targetOf({ targets }: MigrationDocument, position: number): MigrationTarget {
  const target = targets[position];
  if (target === undefined) throw new EngineError('ValidationError', `the migration has no target ${position}`);
  return target;
}

async function withSecrets(
  resolver: SecretResolver,
  tenant: string,
  target: MigrationTarget,
): Promise<{ target: MigrationTarget; secrets: string[] }> {
  if (target.type === 'iceberg') return { target, secrets: [] };
  const connection = await resolver.resolve(tenant, target.connection);
  const password = URL.canParse(connection) ? new URL(connection).password : '';
  return { target: { ...target, connection }, secrets: [connection, password, decoded(password)] };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Temporal is told the message, and the stack, which begins with it. */
function withoutSecrets(failure: ApplicationFailure, redact: (text: string) => string): ApplicationFailure {
  failure.message = redact(failure.message);
  failure.stack = redact(failure.stack ?? '');
  return failure;
}

function tableCalls(
  migrators: TableMigrators,
  rest: Omit<TableMigration<never>, 'target'>,
  target: MigrationTarget,
): TableCalls {
  return target.type === 'iceberg'
    ? callsOf(migrators.iceberg, { ...rest, target })
    : callsOf(migrators.postgres, { ...rest, target });
}

function callsOf<Target>(migrator: TableMigrator<Target>, migration: TableMigration<Target>): TableCalls {
  return {
    validate: () => migrator.validate(migration),
    backUp: () => migrator.backUp(migration),
    apply: (backup) => migrator.apply(migration, backup),
    verify: (backup) => migrator.verify(migration, backup),
    restore: (backup) => migrator.restore(migration, backup),
    release: (backup) => migrator.release(migration, backup),
  };
}
