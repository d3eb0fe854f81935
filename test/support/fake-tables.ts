/**
 * Tables of no system, behind the interface that migrations change tables by: what a workflow asks of them, in which order,
 * and what it leaves behind. Each call may be made to fail, before or after its effect, or to hang until it is cancelled.
 */
import { ApplicationFailure } from '@temporalio/common';
import type { TableBackup, TableMigration, TableMigrator } from '../../src/engines/migrations/table-migrator.ts';

export type TableVerb = 'validate' | 'backUp' | 'apply' | 'verify' | 'restore' | 'release';
/** `apply 1`: of the second target. */
export type TableCall = `${TableVerb} ${number}`;

interface Injected {
  failure: () => Error;
  when: 'before' | 'after';
  times: number;
}

export class FakeTables {
  readonly calls: TableCall[] = [];
  /** Positions of targets that are changed now. */
  readonly changed = new Set<number>();
  readonly backups = new Set<number>();
  readonly #injected = new Map<TableCall, Injected>();
  readonly #hanging = new Map<TableCall, PromiseWithResolvers<void>>();

  readonly migrator: TableMigrator<unknown> = {
    validate: (migration) =>
      this.#call('validate', migration, () => {
        const column = { name: 'a', type: 'int', required: false };
        return { rows: 3, before: [column], after: [], touched: ['a'], warnings: ['mind the gap'] };
      }),
    backUp: (migration) =>
      this.#call('backUp', migration, (position): TableBackup => {
        this.backups.add(position);
        return { reference: `tag ${position}`, details: {} };
      }),
    apply: (migration) =>
      this.#call('apply', migration, (position) => {
        this.changed.add(position);
        return { applied: true as const, notes: [] };
      }),
    verify: (migration) => this.#call('verify', migration, () => ({ rows: 3 })),
    restore: (migration, { reference }) =>
      this.#call('restore', migration, (position) => {
        if (reference !== `tag ${position}`) throw new Error(`not the backup of ${position}: ${reference}`);
        return { changed: this.changed.delete(position), notes: [] };
      }),
    release: (migration) =>
      this.#call('release', migration, (position) => {
        this.backups.delete(position);
      }),
  };

  reset(): void {
    this.calls.length = 0;
    this.changed.clear();
    this.backups.clear();
    this.#injected.clear();
    this.#hanging.clear();
  }

  /** As often as given; for good otherwise. */
  fail(
    call: TableCall,
    failure = broken,
    { when = 'before', times = Infinity }: Partial<Omit<Injected, 'failure'>> = {},
  ) {
    this.#injected.set(call, { failure, when, times });
  }

  mend(call: TableCall): void {
    this.#injected.delete(call);
  }

  /** The next such call hangs. Resolves when it does. */
  hang(call: TableCall): { reached: Promise<void>; goOn: () => void } {
    const hanging = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    this.#hanging.set(call, hanging);
    this.#reached.set(call, reached.resolve);
    return { reached: reached.promise, goOn: hanging.resolve };
  }
  readonly #reached = new Map<TableCall, () => void>();

  of(verb: TableVerb): number[] {
    return this.calls.filter((call) => call.startsWith(`${verb} `)).map((call) => Number(call.split(' ')[1]));
  }

  async #call<T>(verb: TableVerb, { name, signal }: TableMigration<unknown>, act: (position: number) => T): Promise<T> {
    const position = Number(name.split('/')[1]);
    const call: TableCall = `${verb} ${position}`;
    this.calls.push(call);
    const injected = this.#injected.get(call);
    const fails = injected !== undefined && injected.times > 0;
    if (fails) injected.times -= 1;
    if (fails && injected.when === 'before') throw injected.failure();
    const answer = act(position);
    if (fails) throw injected.failure();
    const hanging = this.#hanging.get(call);
    if (hanging !== undefined) {
      this.#hanging.delete(call);
      this.#reached.get(call)?.();
      const { promise: cancelled, reject } = Promise.withResolvers<never>();
      signal.addEventListener('abort', () => {
        reject(signal.reason as Error);
      });
      await Promise.race([hanging.promise, cancelled]);
    }
    return answer;
  }
}

/** What no retry can mend. */
export function broken(): Error {
  return ApplicationFailure.nonRetryable('the table is broken', 'SchemaConflictError');
}

/** How an activity fails whose worker shuts down: tried again at once. */
export function workerShutDown(): Error {
  return ApplicationFailure.create({ type: 'WorkerShutdown', message: 'shut down', nextRetryDelay: '10ms' });
}
