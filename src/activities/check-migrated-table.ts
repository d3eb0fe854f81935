/** The checks of a migration's target: its table as it is now, read whole as a source would be, by the quality checks' engine. */
import { randomUUID } from 'node:crypto';
import type { DuckDbEngine } from '../engines/duckdb/duckdb-engine.ts';
import type { Dataset, EngineContext } from '../engines/dataset.ts';
import type { IcebergCatalog } from '../engines/iceberg/catalog.ts';
import { checkedSql } from '../engines/migrations/checked-sql.ts';
import type { CheckResult } from '../engines/quality/quality-report.ts';
import { runChecks } from '../engines/quality/run-checks.ts';
import type { FileRoots } from '../engines/sources/file-roots.ts';
import { extractIceberg } from '../engines/sources/iceberg-source.ts';
import { extractJdbc } from '../engines/sources/jdbc-source.ts';
import type { Staging } from '../engines/staging.ts';
import { EngineError } from '../errors.ts';
import type { QualityCheck } from '../schemas/definition.ts';
import type { MigrationTarget } from '../schemas/migration.ts';
import { plainTable } from '../schemas/migration-targets.ts';

export interface CheckDependencies {
  duckdb: DuckDbEngine;
  catalog: IcebergCatalog;
  roots: FileRoots;
  staging: Staging;
}

/** What the checks found that fails the migration, and what is only worth a note. */
export interface CheckedTable {
  failures: string[];
  warnings: string[];
}

/** Severities that fail a migration; the others are told. */
const FAILING: ReadonlySet<QualityCheck['severity']> = new Set<QualityCheck['severity']>(['ERROR', 'CRITICAL']);

/** @param at the migration, for the folder in staging, of which nothing stays */
export async function checkMigratedTable(
  { duckdb, catalog, roots, staging }: CheckDependencies,
  target: MigrationTarget,
  at: { tenant: string; migrationId: string; step: string },
  context: EngineContext,
): Promise<CheckedTable> {
  if (target.checks.length === 0) return { failures: [], warnings: [] };
  // Each attempt its own: one that was thought lost may still clean up.
  const executionId = `${at.migrationId}-${randomUUID().slice(0, 8)}`;
  const staged = { tenant: at.tenant, pipelineId: 'migrations', executionId };
  const folder = await staging.newAttempt({ ...staged, step: at.step });
  try {
    const dataset = await rowsOf({ duckdb, catalog, roots }, target, folder.path, context);
    const input = plainTable(target);
    const checks = target.checks.map((check) => checkOf(check, target, input));
    const request = { checks, minScore: 0, inputs: { [input]: dataset }, parameters: {} };
    const { checks: results } = await runChecks(duckdb, request, context).catch(inTheDocumentsWords);
    const failed = results.filter(({ outcome }) => outcome === 'FAILED');
    const told = (wanted: boolean): string[] =>
      failed.filter(({ severity }) => FAILING.has(severity) === wanted).map(describe);
    return { failures: told(true), warnings: told(false) };
  } finally {
    await staging.release(folder);
    await staging.dropRun(staged).catch(() => undefined);
  }
}

async function rowsOf(
  { duckdb, catalog, roots }: Omit<CheckDependencies, 'staging'>,
  target: MigrationTarget,
  outputFolder: string,
  context: EngineContext,
): Promise<Dataset> {
  const { table } = target;
  if (target.type === 'iceberg') {
    return extractIceberg(duckdb, { source: { type: 'iceberg', table }, catalog, outputFolder }, context);
  }
  const { connection } = target;
  const source = { type: 'jdbc', connection, table } as const;
  const request = { source, connectionUrl: connection, parameters: {}, roots, outputFolder };
  return (await extractJdbc(duckdb, request, context)).dataset;
}

/** The check of a pipeline that asks the same of the input that stands for the table. */
function checkOf(check: MigrationTarget['checks'][number], { table }: MigrationTarget, source: string): QualityCheck {
  const named = { ...check, source };
  return named.type === 'custom_sql' ? { ...named, sql: checkedSql(named.sql, table) } : named;
}

function describe({ index, type, failingRows, message }: CheckResult): string {
  const rows = failingRows === 0 ? '' : ` (${failingRows} failing rows)`;
  return `checks.${index} (${type}): ${message}${rows}`;
}

/** The checks' engine names places of a pipeline. */
function inTheDocumentsWords(error: unknown): never {
  if (!(error instanceof EngineError)) throw error;
  const message = error.message.replaceAll('definition.quality_checks.checks.', 'checks.');
  throw new EngineError(error.type, message, { cause: error });
}
