/** Everything that is asked of backfills (spec sections 2 and 4). What is wanted stands in the store before anybody is told. */
import { ServiceError } from '../errors.ts';
import type {
  BackfillAnswer,
  BackfillBody,
  BackfillPreview,
  BackfillQuery,
  PartitionAnswer,
  PartitionsQuery,
  StartedBackfill,
} from '../schemas/api-backfills.ts';
import type { SignalBody } from '../schemas/api-requests.ts';
import type { WorkflowStatus } from '../schemas/api-run-answers.ts';
import { skipReason } from '../schemas/skip-reason.ts';
import { outcomeKey } from '../store/backfill-partitions.ts';
import type { BackfillRow } from '../store/backfills.ts';
import type { PageOf } from '../store/page.ts';
import type { PipelineRow } from '../store/pipelines.ts';
import type { Store } from '../store/store.ts';
import type { Actor } from './actor.ts';
import { backfillStatus } from './backfill-status.ts';
import { backfillView, partitionView } from './backfill-views.ts';
import type { BackfillWaker } from './backfill-waker.ts';
import { type BackfillPlan, planBackfill, shownInterval } from './plan-backfill.ts';

export interface BackfillsDependencies {
  store: Store;
  waker: BackfillWaker;
}

const WORKFLOW_ID_PREFIX = 'backfill-';

export class Backfills {
  readonly #store: Store;
  readonly #waker: BackfillWaker;

  constructor({ store, waker }: BackfillsDependencies) {
    this.#store = store;
    this.#waker = waker;
  }

  /** `reservedId` becomes the backfill's id: the same request made again after a crash starts nothing new. */
  async start(actor: Actor, pipeline: string, body: BackfillBody, reservedId: string): Promise<StartedBackfill> {
    const before = await this.#store.backfills.find(actor.tenant, reservedId);
    if (before !== undefined) {
      await this.#waker.wake(before);
      return startedBackfill(before);
    }
    const row = await this.#pipeline(actor, pipeline);
    const submittedAt = new Date();
    const plan = planBackfill(row.document, body, submittedAt);
    const recorded = await this.#record(actor, row, body, plan, reservedId, submittedAt);
    try {
      await this.#waker.wake(recorded);
    } catch (error) {
      // A workflow that was started after all finds no backfill, and ends without an effect.
      if (await this.#store.backfills.abandon(reservedId)) throw error;
    }
    return startedBackfill(recorded);
  }

  /** What would be processed, what would be skipped and why; stores nothing. */
  async preview(actor: Actor, pipeline: string, body: BackfillBody): Promise<BackfillPreview> {
    const { pipelineId, document } = await this.#pipeline(actor, pipeline);
    const { partitions, range, timezone } = planBackfill(document, body, new Date());
    const outcomes = await this.#store.partitions.outcomes(pipelineId, range);
    const data = partitions.map((partition): BackfillPreview['data'][number] => {
      const reason = skipReason(body.reprocess, outcomes.get(outcomeKey(partition)));
      const interval = shownInterval(partition, timezone);
      return reason === undefined ? { ...interval, action: 'RUN' } : { ...interval, action: 'SKIP', reason };
    });
    const toSkip = data.filter(({ action }) => action === 'SKIP').length;
    return { partitions: data.length, toRun: data.length - toSkip, toSkip, data };
  }

  async get(actor: Actor, backfillId: string, { cells }: BackfillQuery = { cells: 0 }): Promise<BackfillAnswer> {
    const row = await this.#backfill(actor, backfillId);
    const { counts, rows } = await this.#store.partitions.counts(backfillId);
    const ended = row.startedAt === null ? 0 : await this.#store.partitions.endedSince(backfillId, row.startedAt);
    const view = backfillView(row, counts, rows, ended);
    if (cells === 0) return view;
    const known = await this.#store.partitions.grid(backfillId, Math.min(cells, row.partitions));
    // Those that have no row yet are counted like this, too.
    const unplanned = row.status === 'RUNNING' ? 'PENDING' : 'CANCELLED';
    return { ...view, grid: known.map((state) => state ?? unplanned) };
  }

  async status(actor: Actor, workflowId: string): Promise<WorkflowStatus> {
    const backfillId = idOf(workflowId);
    const row = await this.#backfill(actor, backfillId);
    const { counts, rows, retries } = await this.#store.partitions.counts(backfillId);
    const working = await this.#store.partitions.list(backfillId, { page: 0, size: row.concurrency }, 'RUNNING');
    return backfillStatus(row, backfillView(row, counts, rows, 0), working.items, retries);
  }

  /** {@link tell}, by the workflow. */
  async signal(actor: Actor, workflowId: string, { name }: SignalBody): Promise<void> {
    const backfillId = idOf(workflowId);
    if (name !== 'approval') return this.tell(actor, backfillId, name === 'cancellation' ? 'cancel' : name);
    await this.#backfill(actor, backfillId);
    throw new ServiceError('CONFLICT', 'A backfill has no gate');
  }

  /** In the order in which they are begun. */
  async partitions(
    actor: Actor,
    backfillId: string,
    { state, ...page }: PartitionsQuery,
  ): Promise<PageOf<PartitionAnswer>> {
    const { timezone } = await this.#backfill(actor, backfillId);
    const { items, total } = await this.#store.partitions.list(backfillId, page, state);
    return { items: items.map((row) => partitionView(row, timezone)), total };
  }

  /** Returns once it is recorded: the workflow will learn of it, whoever crashes. */
  async tell(actor: Actor, backfillId: string, what: 'pause' | 'resume' | 'cancel' | 'retry'): Promise<void> {
    const row = await this.#backfill(actor, backfillId);
    if (what === 'retry') await this.#store.backfills.reopen(backfillId);
    else {
      const control = { pause: 'PAUSE', resume: 'RUN', cancel: 'CANCEL' } as const;
      if (!(await this.#store.backfills.setControl(backfillId, control[what]))) {
        const message = row.status === 'RUNNING' ? 'The backfill is being cancelled' : `The backfill is ${row.status}`;
        throw new ServiceError('CONFLICT', message);
      }
    }
    await this.#store.audit.append({
      tenant: actor.tenant,
      actor: actor.user,
      action: `backfill.${what}`,
      subject: backfillId,
      details: {},
      requestId: actor.requestId,
    });
    // What does not arrive now is seen by the workflow's own look, or delivered by the reconciler.
    await this.#waker.wake(row).catch(() => undefined);
  }

  async #record(
    actor: Actor,
    { pipelineId, name, revision }: PipelineRow,
    body: BackfillBody,
    { range, size, timezone, partitions }: BackfillPlan,
    backfillId: string,
    submittedAt: Date,
  ): Promise<BackfillRow> {
    const { concurrency, order, reprocess, onFailure, parameters } = body;
    return this.#store.transaction(async ({ backfills, audit }) => {
      const row = await backfills.insert({
        backfillId,
        tenant: actor.tenant,
        pipelineId,
        pipelineName: name,
        revision,
        workflowId: `${WORKFLOW_ID_PREFIX}${backfillId}`,
        rangeStart: new Date(range.startMs),
        rangeEnd: new Date(range.endMs),
        size,
        timezone,
        concurrency,
        order,
        reprocess,
        onFailure,
        parameters,
        partitions: partitions.length,
        requestId: actor.requestId,
        submittedBy: actor.user,
        submittedAt,
      });
      await audit.append({
        tenant: actor.tenant,
        actor: actor.user,
        action: 'backfill.start',
        subject: backfillId,
        details: { pipelineId, revision, ...shownInterval(range, timezone), size, reprocess },
        requestId: actor.requestId,
      });
      return row;
    });
  }

  async #pipeline(actor: Actor, idOrName: string): Promise<PipelineRow> {
    const pipeline = await this.#store.pipelines.find(actor.tenant, idOrName);
    if (pipeline === undefined) throw new ServiceError('RESOURCE_NOT_FOUND', `There is no pipeline ${idOrName}`);
    return pipeline;
  }

  async #backfill(actor: Actor, backfillId: string): Promise<BackfillRow> {
    const row = await this.#store.backfills.find(actor.tenant, backfillId);
    if (row === undefined) throw new ServiceError('RESOURCE_NOT_FOUND', `There is no backfill ${backfillId}`);
    return row;
  }
}

function idOf(workflowId: string): string {
  return workflowId.slice(WORKFLOW_ID_PREFIX.length);
}

function startedBackfill({ backfillId, workflowId, partitions }: BackfillRow): StartedBackfill {
  return { backfillId, workflowId, partitions };
}
