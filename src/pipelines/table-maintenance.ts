/** Everything that is asked of the upkeep of tables (spec section 4). What is wanted stands in the store before anybody is told. */
import { ServiceError } from '../errors.ts';
import type {
  CompactionBody,
  MaintenanceAnswer,
  MaintenanceQuery,
  StartedMaintenance,
} from '../schemas/api-maintenance.ts';
import type { SignalBody } from '../schemas/api-requests.ts';
import type { WorkflowStatus } from '../schemas/api-run-answers.ts';
import { durationMs } from '../schemas/duration.ts';
import type { MaintenanceRow } from '../store/maintenance-runs.ts';
import type { PageOf } from '../store/page.ts';
import type { Store } from '../store/store.ts';
import type { MaintenancePlan, MaintenanceStep } from '../workflows/maintenance-messages.ts';
import type { Actor } from './actor.ts';
import type { MaintenanceLauncher } from './maintenance-launcher.ts';
import { maintenanceStatus } from './maintenance-status.ts';
import { maintenanceView } from './maintenance-view.ts';

export interface TableMaintenanceDependencies {
  store: Store;
  maintenanceLauncher: MaintenanceLauncher;
  /** Undefined when Spark can rewrite tables here, else what is missing. */
  sparkMissing: string | undefined;
}

const WORKFLOW_ID_PREFIX = 'maintenance-';

export class TableMaintenance {
  readonly #store: Store;
  readonly #launcher: MaintenanceLauncher;
  readonly #sparkMissing: string | undefined;

  constructor({ store, maintenanceLauncher, sparkMissing }: TableMaintenanceDependencies) {
    this.#store = store;
    this.#launcher = maintenanceLauncher;
    this.#sparkMissing = sparkMissing;
  }

  /** `reservedId` becomes the maintenance's id: the same request made again after a crash starts nothing new. */
  async start(actor: Actor, body: CompactionBody, reservedId: string): Promise<StartedMaintenance> {
    const before = await this.#store.maintenance.find(actor.tenant, reservedId);
    if (before !== undefined) {
      if (before.status === 'RUNNING') await this.#launcher.deliver(before);
      return started(before);
    }
    const plan = this.#planOf(body);
    const recorded = await this.#record(actor, body, plan, reservedId);
    try {
      await this.#launcher.deliver(recorded);
    } catch (error) {
      // A workflow that was started after all finds no maintenance, and ends without an effect.
      if (await this.#store.maintenance.abandon(reservedId)) throw error;
    }
    return started(recorded);
  }

  async get(actor: Actor, maintenanceId: string): Promise<MaintenanceAnswer> {
    return maintenanceView(await this.#find(actor, maintenanceId));
  }

  /** Newest first. */
  async list(actor: Actor, { table, ...page }: MaintenanceQuery): Promise<PageOf<MaintenanceAnswer>> {
    const { items, total } = await this.#store.maintenance.list(actor.tenant, page, table);
    return { items: items.map(maintenanceView), total };
  }

  /** Returns once it is recorded: the workflow will learn of it, whoever crashes. */
  async cancel(actor: Actor, maintenanceId: string): Promise<void> {
    const row = await this.#find(actor, maintenanceId);
    if (!(await this.#store.maintenance.requestCancel(maintenanceId))) {
      const { status } = await this.#find(actor, maintenanceId);
      throw new ServiceError('CONFLICT', `The maintenance is ${status}`);
    }
    await this.#store.audit.append({
      tenant: actor.tenant,
      actor: actor.user,
      action: 'maintenance.cancel',
      subject: maintenanceId,
      details: {},
      requestId: actor.requestId,
    });
    // What does not arrive now is delivered by the reconciler.
    await this.#launcher.cancel(row).catch(() => undefined);
  }

  async status(actor: Actor, workflowId: string): Promise<WorkflowStatus> {
    return maintenanceStatus(await this.#find(actor, idOf(workflowId)));
  }

  /** The same as {@link cancel}, by the workflow; there is nothing else to tell it. */
  async signal(actor: Actor, workflowId: string, { name }: SignalBody): Promise<void> {
    const id = idOf(workflowId);
    if (name === 'cancellation') return this.cancel(actor, id);
    await this.#find(actor, id);
    const message = name === 'approval' ? 'A maintenance has no gate' : 'A maintenance cannot be paused; cancel it';
    throw new ServiceError('CONFLICT', message);
  }

  #planOf(body: CompactionBody): MaintenancePlan {
    const { rewriteDataFiles, targetFileSizeBytes, minInputFiles, expireSnapshots, removeOrphanFiles } = body;
    const rewrite = rewriteDataFiles ? { targetFileSizeBytes, minInputFiles } : null;
    if (body.engine === 'spark' && this.#sparkMissing !== undefined) throw invalid('engine', this.#sparkMissing);
    if (rewrite === null && expireSnapshots === false && removeOrphanFiles === false) {
      throw invalid('rewriteDataFiles', 'nothing is left to be done; expected one of the three at least');
    }
    return {
      rewrite,
      expire:
        expireSnapshots === false
          ? null
          : {
              ...(expireSnapshots.olderThan !== undefined && { olderThanMs: durationMs(expireSnapshots.olderThan) }),
              ...(expireSnapshots.retainLast !== undefined && { retainLast: expireSnapshots.retainLast }),
            },
      orphans: removeOrphanFiles === false ? null : { olderThanMs: durationMs(removeOrphanFiles.olderThan) },
    };
  }

  async #record(
    actor: Actor,
    { table, engine }: CompactionBody,
    plan: MaintenancePlan,
    maintenanceId: string,
  ): Promise<MaintenanceRow> {
    return this.#store.transaction(async ({ maintenance, audit }) => {
      const row = await maintenance.insert({
        maintenanceId,
        tenant: actor.tenant,
        tableName: table,
        engine,
        plan,
        workflowId: `${WORKFLOW_ID_PREFIX}${maintenanceId}`,
        steps: stepsOf(plan).map((step) => ({ step, status: 'PENDING' })),
        requestId: actor.requestId,
        submittedBy: actor.user,
        submittedAt: new Date(),
      });
      await audit.append({
        tenant: actor.tenant,
        actor: actor.user,
        action: 'maintenance.start',
        subject: maintenanceId,
        details: { table, engine, ...plan },
        requestId: actor.requestId,
      });
      return row;
    });
  }

  async #find(actor: Actor, maintenanceId: string): Promise<MaintenanceRow> {
    const row = await this.#store.maintenance.find(actor.tenant, maintenanceId);
    if (row === undefined) throw new ServiceError('RESOURCE_NOT_FOUND', `There is no maintenance ${maintenanceId}`);
    return row;
  }
}

function idOf(workflowId: string): string {
  return workflowId.slice(WORKFLOW_ID_PREFIX.length);
}

function stepsOf({ rewrite, expire, orphans }: MaintenancePlan): MaintenanceStep[] {
  return [
    'measure_before',
    ...(rewrite === null ? [] : (['rewrite'] as const)),
    ...(expire === null ? [] : (['expire'] as const)),
    ...(orphans === null ? [] : (['orphans'] as const)),
    'measure_after',
  ];
}

function started({ maintenanceId, workflowId }: MaintenanceRow): StartedMaintenance {
  return { maintenanceId, workflowId };
}

function invalid(path: string, message: string): ServiceError {
  return new ServiceError('VALIDATION_FAILED', 'The maintenance is not valid', [{ path, message }]);
}
