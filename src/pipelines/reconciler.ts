/**
 * Finishes what a crash left half done, again and again while the process lives: starts and answers that stand in the
 * store but not in Temporal, runs that ended without saying so, data that is no longer needed. Every act is one that
 * may be done twice, so any number of processes may reconcile.
 */
import { WorkflowNotFoundError } from '@temporalio/client';
import type { Logger } from 'pino';
import type { Staging } from '../engines/staging.ts';
import { messageOf } from '../errors.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Store } from '../store/store.ts';
import type { TemporalCalls } from '../temporal/temporal-calls.ts';
import type { BackfillWaker } from './backfill-waker.ts';
import type { MigrationWaker } from './migration-waker.ts';
import { reconcileBackfills } from './reconcile-backfills.ts';
import { reconcileMigrations } from './reconcile-migrations.ts';
import type { MaintenanceLauncher } from './maintenance-launcher.ts';
import { reconcileMaintenance } from './reconcile-maintenance.ts';
import type { RunCloser } from './run-closer.ts';
import type { RunLauncher } from './run-launcher.ts';
import { deliverAnswer } from './signal-run.ts';

const EVERY_MS = 5_000;
/** What is younger than this is most likely being delivered right now. */
const SETTLED_AFTER_MS = 3_000;
/** Open runs looked up in Temporal per round. */
const OPEN_RUNS_PER_ROUND = 50;
const CLEAN_EVERY_MS = 3_600_000;
const STAGING_KEPT_MS = 7 * 86_400_000;

export interface ReconcilerDependencies {
  store: Store;
  temporal: TemporalCalls;
  launcher: RunLauncher;
  closer: RunCloser;
  waker: BackfillWaker;
  migrationWaker: MigrationWaker;
  maintenanceLauncher: MaintenanceLauncher;
  metrics: Metrics;
  staging: Staging;
  runRetentionMs: number;
  logger: Logger;
}

export class Reconciler {
  readonly #dependencies: ReconcilerDependencies;
  readonly #stopped = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #lastOpenRun = '';
  #cleanedAtMs = 0;

  constructor(dependencies: ReconcilerDependencies) {
    this.#dependencies = dependencies;
  }

  start(): void {
    this.#running = this.#loop();
  }

  /** Resolves when the round at work is over. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #loop(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      await this.round();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, EVERY_MS);
        this.#stopped.signal.addEventListener(
          'abort',
          () => {
            clearTimeout(timer);
            resolve();
          },
          { once: true },
        );
      });
    }
  }

  /** One round; what fails in it is tried again in the next. */
  async round(): Promise<void> {
    await this.#attempt('starts', () => this.#deliverStarts());
    await this.#attempt('answers', () => this.#deliverAnswers());
    await this.#attempt('open runs', () => this.#settleOpenRuns());
    await this.#attempt('backfills', () => reconcileBackfills(this.#dependencies, settledBefore()));
    await this.#attempt('migrations', () => reconcileMigrations(this.#dependencies, settledBefore()));
    await this.#attempt('maintenance', () => reconcileMaintenance(this.#dependencies, settledBefore()));
    if (Date.now() - this.#cleanedAtMs > CLEAN_EVERY_MS) {
      this.#cleanedAtMs = Date.now();
      await this.#attempt('cleaning', () => this.#clean());
    }
  }

  async #attempt(what: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.#dependencies.logger.warn({ reason: messageOf(error), what }, 'reconciling failed; it is tried again');
    }
  }

  async #deliverStarts(): Promise<void> {
    const { store, launcher } = this.#dependencies;
    for (const run of await store.runs.undelivered(settledBefore())) await launcher.deliver(run);
  }

  async #deliverAnswers(): Promise<void> {
    const { store, temporal } = this.#dependencies;
    for (const { workflowId, answerId } of await store.gates.undelivered(settledBefore())) {
      try {
        await deliverAnswer(temporal, workflowId, answerId);
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
        await store.gates.markDelivered(answerId); // The run is over: nobody is left to tell.
      }
    }
  }

  async #settleOpenRuns(): Promise<void> {
    const { store, temporal, closer } = this.#dependencies;
    const runs = await store.runs.open(OPEN_RUNS_PER_ROUND, this.#lastOpenRun);
    this.#lastOpenRun = runs.length < OPEN_RUNS_PER_ROUND ? '' : (runs.at(-1)?.executionId ?? '');
    for (const run of runs) {
      if (run.runId === null) continue;
      try {
        const description = await temporal.call((client) => client.workflow.getHandle(run.workflowId).describe());
        if (description.status.name !== 'RUNNING') await closer.settle(run, description);
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
        await closer.settle(run, 'forgotten');
      }
    }
  }

  async #clean(): Promise<void> {
    const { store, staging, runRetentionMs } = this.#dependencies;
    await store.idempotency.expire();
    const closedBefore = new Date(Date.now() - runRetentionMs);
    await store.runs.expire(closedBefore);
    await store.backfills.expire(closedBefore);
    await store.migrations.expire(closedBefore);
    await store.maintenance.expire(closedBefore);
    await staging.expire(STAGING_KEPT_MS);
  }
}

function settledBefore(): Date {
  return new Date(Date.now() - SETTLED_AFTER_MS);
}
