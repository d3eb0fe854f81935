/** Everything that is asked of schema migrations (spec sections 2 and 4). What is wanted stands in the store before anybody is told. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError } from '../errors.ts';
import type {
  MigrationAnswer,
  MigrationPreview,
  MigrationSummary,
  StartedMigration,
} from '../schemas/api-migrations.ts';
import type { SignalBody } from '../schemas/api-requests.ts';
import type { WorkflowStatus } from '../schemas/api-run-answers.ts';
import type { JsonObject } from '../schemas/json.ts';
import type { MigrationDocument, MigrationTarget } from '../schemas/migration.ts';
import { qualifiedTable } from '../schemas/migration-targets.ts';
import type { Page, PageOf } from '../store/page.ts';
import type { Store } from '../store/store.ts';
import type { MigrationRow } from '../store/table-migrations.ts';
import type { TemporalCalls } from '../temporal/temporal-calls.ts';
import type { MigrationTask } from '../workflows/migration-messages.ts';
import type { Actor } from './actor.ts';
import { migrationStatus } from './migration-status.ts';
import { migrationSummary, migrationView, plannedSteps, validatedTargets } from './migration-views.ts';
import type { MigrationWaker } from './migration-waker.ts';
import { signalMigration } from './signal-migration.ts';
import { validateMigration } from './validate-migration.ts';

/** A little less than what a request may take at all. */
const DRY_RUN_WITHIN_MS = 9_000;
const LOOK_EVERY_MS = 50;

export interface MigrationsDependencies {
  store: Store;
  temporal: TemporalCalls;
  waker: MigrationWaker;
}

export class Migrations {
  readonly #dependencies: MigrationsDependencies;

  constructor(dependencies: MigrationsDependencies) {
    this.#dependencies = dependencies;
  }

  /** `reservedId` becomes the migration's id: the same request made again after a crash starts nothing new. */
  async start(actor: Actor, raw: unknown, reservedId: string): Promise<StartedMigration> {
    const { store, waker } = this.#dependencies;
    const before = await store.migrations.find(actor.tenant, reservedId);
    if (before !== undefined) {
      if (before.status === 'RUNNING') await waker.wake(before);
      return started(before);
    }
    const row = await this.#record(actor, await contentOf(raw), reservedId, 'MIGRATE');
    await this.#wakeNew(row);
    return started(row);
  }

  /** Whether it could be done, and what it would concern; nothing of it stays. */
  async preview(actor: Actor, raw: unknown, reservedId: string): Promise<MigrationPreview> {
    const { store } = this.#dependencies;
    const content = await contentOf(raw);
    const { migrationId } = await this.#record(actor, content, reservedId, 'VALIDATE').then(async (row) => {
      await this.#wakeNew(row);
      return row;
    });
    try {
      await this.#ended(migrationId);
      const steps = await store.migrationSteps.list(migrationId);
      const errors = steps.flatMap(({ error, position }) =>
        error === null || position === null ? [] : [faultOf(position, error.message)],
      );
      return { valid: errors.length === 0, errors, targets: validatedTargets(steps, content.document) };
    } finally {
      // One that cannot be forgotten now is by the reconciler.
      await store.migrations.forgetDryRun(migrationId).catch(() => undefined);
    }
  }

  /** Newest first. */
  async list(actor: Actor, page: Page): Promise<PageOf<MigrationSummary>> {
    const { items, total } = await this.#dependencies.store.migrations.list(actor.tenant, page);
    return { items: items.map(migrationSummary), total };
  }

  async get(actor: Actor, migrationId: string): Promise<MigrationAnswer> {
    const row = await this.#find(actor, migrationId);
    return migrationView(row, await this.#dependencies.store.migrationSteps.list(migrationId));
  }

  /** Puts back what could not be, or tries all of it again. Returns once it is recorded. */
  async retry(actor: Actor, migrationId: string, reservedId: string): Promise<StartedMigration> {
    const { store, waker } = this.#dependencies;
    const row = await this.#find(actor, migrationId);
    const steps = plannedSteps(row.document as unknown as MigrationDocument);
    if (row.reopenedBy !== reservedId) {
      await store.transaction(async ({ migrations, audit }) => {
        const { task, round } = await migrations.reopen(migrationId, reservedId, steps);
        await audit.append({
          tenant: actor.tenant,
          actor: actor.user,
          action: 'migration.retry',
          subject: migrationId,
          details: { task, round },
          requestId: actor.requestId,
        });
      });
    }
    // What cannot be started now is by the reconciler.
    await waker.wake(await store.migrations.get(migrationId)).catch(() => undefined);
    return started(row);
  }

  async status(actor: Actor, workflowId: string): Promise<WorkflowStatus> {
    const { store } = this.#dependencies;
    return migrationStatus(store, await this.#ofWorkflow(actor, workflowId));
  }

  async signal(actor: Actor, workflowId: string, signal: SignalBody, reservedId: string): Promise<void> {
    const row = await this.#ofWorkflow(actor, workflowId);
    await signalMigration(this.#dependencies, actor, row, signal, reservedId);
  }

  async #record(
    actor: Actor,
    { document, stored }: { document: MigrationDocument; stored: JsonObject },
    migrationId: string,
    task: MigrationTask,
  ): Promise<MigrationRow> {
    const { name, targets } = document;
    const migration = {
      migrationId,
      tenant: actor.tenant,
      name,
      document: stored,
      workflowId: `migration-${migrationId}`,
      task,
      tables: targets.map((target) => tableKey(actor.tenant, target)),
      requestId: actor.requestId,
      submittedBy: actor.user,
      submittedAt: new Date(),
    };
    const steps = plannedSteps(document).filter(({ step }) => task === 'MIGRATE' || step.startsWith('validate:'));
    return this.#dependencies.store.transaction(async ({ migrations, audit }) => {
      const row = await migrations.insert(migration, steps);
      if (task === 'MIGRATE') {
        await audit.append({
          tenant: actor.tenant,
          actor: actor.user,
          action: 'migration.start',
          subject: migrationId,
          details: { name, tables: targets.map(({ table }) => table) },
          requestId: actor.requestId,
        });
      }
      return row;
    });
  }

  async #wakeNew(row: MigrationRow): Promise<void> {
    const { store, waker } = this.#dependencies;
    try {
      await waker.wake(row);
    } catch (error) {
      // A workflow that was started after all finds no migration, and ends without an effect.
      if (await store.migrations.abandon(row.migrationId)) throw error;
    }
  }

  async #ended(migrationId: string): Promise<void> {
    const deadlineMs = Date.now() + DRY_RUN_WITHIN_MS;
    while ((await this.#dependencies.store.migrations.get(migrationId)).status === 'RUNNING') {
      if (Date.now() > deadlineMs) {
        throw new ServiceError('SERVICE_UNAVAILABLE', 'The tables were not looked at in time; try again');
      }
      await sleep(LOOK_EVERY_MS);
    }
  }

  async #find(actor: Actor, migrationId: string): Promise<MigrationRow> {
    const row = await this.#dependencies.store.migrations.find(actor.tenant, migrationId);
    if (row === undefined || row.task === 'VALIDATE') {
      throw new ServiceError('RESOURCE_NOT_FOUND', `There is no migration ${migrationId}`);
    }
    return row;
  }

  async #ofWorkflow(actor: Actor, workflowId: string): Promise<MigrationRow> {
    const row = await this.#dependencies.store.migrations.findByWorkflowId(actor.tenant, workflowId);
    if (row === undefined) throw new ServiceError('RESOURCE_NOT_FOUND', `There is no workflow ${workflowId}`);
    return row;
  }
}

async function contentOf(raw: unknown): Promise<{ document: MigrationDocument; stored: JsonObject }> {
  const outcome = await validateMigration(raw);
  if ('faults' in outcome) throw new ServiceError('VALIDATION_FAILED', 'The document is not valid', outcome.faults);
  return outcome;
}

/**
 * Iceberg's catalog is one for all; a database is known by the text of its connection, which is not stored twice. A secret
 * in it is the tenant's own.
 */
function tableKey(tenant: string, target: MigrationTarget): string {
  const table = qualifiedTable(target);
  if (target.type === 'iceberg') return `iceberg:${table}`;
  const { connection } = target;
  const named = connection.includes('${secret:') ? `${tenant}\n${connection}` : connection;
  return `postgres:${createHash('sha256').update(named).digest('hex').slice(0, 20)}:${table}`;
}

/** Engines name the place within the target: `changes.2 (drop_column): …`. */
function faultOf(position: number, message: string): { path: string; message: string } {
  const [, within] = /^((?:changes|checks)\.\d+(?:\.\w+)*)(?=[ :])/.exec(message) ?? [];
  const target = `targets.${position}`;
  if (within === undefined) return { path: target, message };
  return { path: `${target}.${within}`, message: message.slice(within.length).replace(/^: ?| /, '') };
}

function started({ migrationId, workflowId }: MigrationRow): StartedMigration {
  return { migrationId, workflowId };
}
