import { EngineError } from '../../errors.ts';
import type { PostgresTarget } from '../../schemas/migration.ts';
import type { TableMigrator } from './table-migrator.ts';

/** Schema migrations of PostgreSQL tables. */
export function createPostgresMigrator(): TableMigrator<PostgresTarget> {
  const soon = (): Promise<never> =>
    Promise.reject(new EngineError('UnsupportedError', 'migrations of PostgreSQL tables are being written'));
  return { validate: soon, backUp: soon, apply: soon, verify: soon, restore: soon, release: soon };
}
