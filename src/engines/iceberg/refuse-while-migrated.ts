import { EngineError } from '../../errors.ts';
import type { TableMetadata } from './table-metadata.ts';

/** Properties by which schema migrations tell, in the table's metadata, how far they are. */
export const MIGRATION_PROPERTY_PREFIX = 'pipeline.migration.';

/**
 * While a migration may still be put back, nobody here writes files anew: they would be written without the columns that it
 * dropped, in the types that it widened to, and could not be what they were. Files that are only added are in nobody's way.
 *
 * @param metadata the very one that the commit is based on: the migration's own commit makes it another
 * @throws EngineError `UnavailableError`: the migration ends
 */
export function refuseWhileMigrated(metadata: TableMetadata): void {
  const open = Object.entries(metadata.properties ?? {}).find(
    ([key, value]) => key.startsWith(MIGRATION_PROPERTY_PREFIX) && changesSchema(value),
  );
  if (open === undefined) return;
  const name = open[0].slice(MIGRATION_PROPERTY_PREFIX.length);
  const message = `the schema migration ${name} is at work on the table; until it has ended, or is put back, rows are only appended`;
  throw new EngineError('UnavailableError', message);
}

function changesSchema(marker: string): boolean {
  try {
    const { state, before, after } = JSON.parse(marker) as {
      state?: string;
      before?: { 'schema-id'?: number };
      after?: { 'schema-id'?: number };
    };
    return state === 'applied' && before?.['schema-id'] !== after?.['schema-id'];
  } catch {
    return false;
  }
}
