/** The partitions of a backfill that are at work: at most `concurrency`, the next as soon as one ends. */
import {
  ApplicationFailure,
  CancellationScope,
  condition,
  isCancellation,
  proxyActivities,
} from '@temporalio/workflow';
import type { BackfillRecorder } from '../activities/backfill-recorder.ts';
import type { PartitionActivities } from '../activities/process-partition.ts';
import { LOST_WORKER_LIMIT, reasonOf, rootOf, workerWasLost } from './activity-failure.ts';
import type { BackfillCarried, BackfillControl, BackfillInput, PartitionRef } from './backfill-messages.ts';
import { activityOptions } from './retry-table.ts';
import { runPartition } from './run-partition.ts';

/** Partitions that are read from the store at once. */
const PAGE_SIZE = 200;

/** How `process_partition` says that nobody wants the partition any more. */
const BACKFILL_OVER = 'BackfillOver';

export class PartitionWindow {
  /** How often somebody said that it is worth looking into the store. */
  told = 0;
  control: BackfillControl = 'RUN';
  /** The round in which a partition failed and `onFailure` is `stop`. */
  stoppedRound: number | null;
  readonly #input: BackfillInput;
  readonly #recorder: BackfillRecorder;
  readonly #atWork = new Set<number>();
  #scope = new CancellationScope();
  #queue: PartitionRef[] = [];
  /** Whether the store has none beyond the queue. */
  #exhausted = false;
  #seen = -1;
  #round = 0;
  #ended = 0;
  #defect: Error | undefined;

  constructor(input: BackfillInput, recorder: BackfillRecorder) {
    this.#input = input;
    this.#recorder = recorder;
    this.stoppedRound = input.carried?.stoppedRound ?? null;
  }

  carried(): BackfillCarried {
    return { stoppedRound: this.stoppedRound };
  }

  get isIdle(): boolean {
    return this.#atWork.size === 0;
  }

  /** Whether nothing is left to begin. */
  get isDrained(): boolean {
    return this.#isStopped || (this.#queue.length === 0 && this.#exhausted);
  }

  /** Reads from the store what is wanted and what is next, if it may have changed or is needed. */
  async look(): Promise<void> {
    if (this.#seen === this.told && !this.#needsPage) return;
    this.#seen = this.told;
    const { backfillId } = this.#input;
    const exclude = [...this.#atWork];
    const page = await this.#recorder.next_partitions({ backfillId, limit: PAGE_SIZE, exclude });
    this.control = page.control;
    this.#round = page.round;
    this.#queue = page.partitions;
    this.#exhausted = page.partitions.length < PAGE_SIZE;
  }

  /** Begins as many as there is room for. */
  fill(): void {
    if (this.control !== 'RUN' || this.#isStopped) return;
    while (this.#atWork.size < this.#input.concurrency) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#begin(next);
    }
  }

  /** Waits until there is something to do again. */
  async change(): Promise<void> {
    const before = this.#ended;
    await condition(() => this.#ended !== before || this.told !== this.#seen || this.#needsPage);
    if (this.#defect !== undefined) throw this.#defect;
  }

  /** Ends what is at work. */
  async cancel(): Promise<void> {
    this.#scope.cancel();
    await this.idle();
    this.#scope = new CancellationScope();
  }

  async idle(): Promise<void> {
    await condition(() => this.isIdle);
  }

  get #isStopped(): boolean {
    return this.stoppedRound !== null && this.stoppedRound === this.#round;
  }

  get #needsPage(): boolean {
    return this.#queue.length === 0 && !this.#exhausted;
  }

  #begin(partition: PartitionRef): void {
    this.#atWork.add(partition.position);
    const done = (): void => {
      this.#atWork.delete(partition.position);
      this.#ended += 1;
    };
    this.#scope
      .run(() => this.#process(partition))
      .catch((error: unknown) => {
        if (!isCancellation(error)) this.#defect ??= error instanceof Error ? error : new Error(String(error));
      })
      .then(done, done);
  }

  async #process(partition: PartitionRef): Promise<void> {
    try {
      if (this.#input.runPlan === undefined) await this.#call(partition);
      else await runPartition({ ...this.#input, plan: this.#input.runPlan }, partition, this.#recorder);
    } catch (error) {
      const root = rootOf(error);
      const type = root instanceof ApplicationFailure ? (root.type ?? 'PartitionFailed') : 'PartitionFailed';
      if (isCancellation(error) || type === BACKFILL_OVER) return;
      if (this.#input.onFailure === 'stop') this.stoppedRound = this.#round;
      const { position, round } = partition;
      const { backfillId } = this.#input;
      const failure = { backfillId, position, round, error: { type, message: reasonOf(error) } };
      await CancellationScope.nonCancellable(() => this.#recorder.fail_partition(failure));
    }
  }

  /** Scheduled anew when all its attempts ended with their workers. */
  async #call(partition: PartitionRef): Promise<void> {
    const { plan, backfillId, requestId } = this.#input;
    const summary = `partition:${new Date(partition.startMs).toISOString()}`;
    const { process_partition } = proxyActivities<PartitionActivities>(
      activityOptions('process_partition', summary, plan),
    );
    for (let lost = 0; ; lost += 1) {
      try {
        await process_partition({ backfillId, requestId, ...partition });
        return;
      } catch (error) {
        if (lost >= LOST_WORKER_LIMIT || !workerWasLost(error)) throw error;
      }
    }
  }
}
