/** The registry, the runs and the audit log, as one object: a repository for each kind of thing. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { sql } from 'drizzle-orm';
import { auditRepository } from './audit.ts';
import { backfillPartitionRepository } from './backfill-partitions.ts';
import { backfillRepository } from './backfills.ts';
import { begunLoadReading } from './begun-loads.ts';
import { connectPglite } from './connect-pglite.ts';
import { connectPostgres } from './connect-postgres.ts';
import type { Connection } from './connection.ts';
import type { Database } from './database.ts';
import { gateAnswerRepository } from './gate-answers.ts';
import { gateOpening } from './gates.ts';
import { endLeases, idempotencyRepository } from './idempotency.ts';
import { logRepository } from './logs.ts';
import { maintenanceRepository } from './maintenance-runs.ts';
import { pipelineRepository } from './pipelines.ts';
import { qualityRepository } from './quality.ts';
import { runClosing } from './run-closing.ts';
import { runReading } from './runs.ts';
import { runSlots } from './run-slots.ts';
import { stepRepository } from './steps.ts';
import { storeFailure } from './store-failure.ts';
import { tableMigrationStepRepository } from './table-migration-steps.ts';
import { tableMigrationRepository } from './table-migrations.ts';
import { watermarkRepository } from './watermarks.ts';

type Repositories = ReturnType<typeof repositoriesOf>;

/**
 * Every method fails with `SERVICE_UNAVAILABLE` while the database is away, on PostgreSQL within 2 s. Those that read
 * what belongs to a tenant take the tenant; those that do not are for the service's own work.
 */
export interface Store extends Repositories {
  /**
   * Does several things at once or none of them. Inside, use the repositories that are handed in, and wait for nothing
   * but them: the embedded database is one connection, and everyone else waits meanwhile.
   */
  transaction<T>(work: (repositories: Repositories) => Promise<T>): Promise<T>;
  /** Whether the database answers. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the database and brings its tables up to date. A folder is PGlite's: the caller holds the lock of `DATA_DIR`
 * (`memory://` keeps nothing); a URL is PostgreSQL's. SERVICE_UNAVAILABLE, with the reason, when it cannot be opened.
 */
export async function openStore(options: { folder: string } | { url: string }): Promise<Store> {
  if ('url' in options) return storeOn(await connectPostgres(options.url));
  const connection = await connectPglite(options.folder);
  await endLeases(connection.database);
  return storeOn(connection);
}

/** The store on a database that is open and up to date. */
export function storeOn(connection: Connection): Store {
  const { database } = connection;
  /** Set within a transaction, where the outer repositories would wait for ever, or escape it. */
  const inTransaction = new AsyncLocalStorage<{ open: boolean }>();
  const outside = <T>(work: () => Promise<T>): Promise<T> => {
    if (inTransaction.getStore()?.open) throw new TypeError('within a transaction, use the repositories handed in');
    return work();
  };
  return {
    ...repositoriesOf(database, (work) => telling(() => outside(work))),
    transaction: (work) =>
      telling(() =>
        outside(() =>
          database.transaction(async (tx) => {
            const scope = { open: true };
            try {
              return await inTransaction.run(scope, () => work(repositoriesOf(tx, telling)));
            } finally {
              scope.open = false;
            }
          }),
        ),
      ),
    ping: () =>
      telling(async () => {
        await database.execute(sql`select 1`);
      }),
    close: () => connection.close(),
  };
}

type Around = <T>(work: () => Promise<T>) => Promise<T>;

function repositoriesOf(database: Database, around: Around) {
  return {
    pipelines: wrapped(pipelineRepository(database), around),
    runs: wrapped(
      { ...runReading(database), ...begunLoadReading(database), ...runSlots(database), ...runClosing(database) },
      around,
    ),
    steps: wrapped(stepRepository(database), around),
    logs: wrapped(logRepository(database), around),
    quality: wrapped(qualityRepository(database), around),
    gates: wrapped({ ...gateOpening(database), ...gateAnswerRepository(database) }, around),
    idempotency: wrapped(idempotencyRepository(database), around),
    audit: wrapped(auditRepository(database), around),
    watermarks: wrapped(watermarkRepository(database), around),
    backfills: wrapped(backfillRepository(database), around),
    maintenance: wrapped(maintenanceRepository(database), around),
    partitions: wrapped(backfillPartitionRepository(database), around),
    migrations: wrapped(tableMigrationRepository(database), around),
    migrationSteps: wrapped(tableMigrationStepRepository(database), around),
  };
}

/** The same methods, each called within `around`. */
function wrapped<T extends object>(repository: T, around: Around): T {
  const methods = Object.entries(repository as Record<string, (...values: unknown[]) => Promise<unknown>>);
  return Object.fromEntries(
    methods.map(([name, method]) => [name, (...values: unknown[]) => around(() => method(...values))]),
  ) as T;
}

/** What failed, in the service's own errors. */
async function telling<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storeFailure(error);
  }
}
