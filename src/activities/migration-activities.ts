/** The activities of `SchemaMigrationWorkflow`, by the names that they have in Temporal (spec section 2). */
import { type ImpactedPipeline, impactOn } from '../engines/migrations/migration-impact.ts';
import type { TableBackup, ValidatedTable } from '../engines/migrations/table-migrator.ts';
import { EngineError } from '../errors.ts';
import type { JsonObject } from '../schemas/json.ts';
import { gateOfRound } from '../schemas/migration-targets.ts';
import type { MigrationStepInput } from '../workflows/migration-messages.ts';
import { type CheckDependencies, checkMigratedTable } from './check-migrated-table.ts';
import { type MigrationDependencies, migrationStep, type MigrationWork } from './migration-step.ts';

type Activity = (input: MigrationStepInput) => Promise<void>;

export interface MigrationActivities {
  validate_migration: Activity;
  create_backup: Activity;
  apply_migration: Activity;
  validate_post_migration: Activity;
  restore_backup: Activity;
  release_backup: Activity;
}

/** What `validate_migration` records. */
interface Validated extends ValidatedTable {
  impact: ImpactedPipeline[];
}

const PIPELINES_AT_ONCE = 200;

export function createMigrationActivities(
  dependencies: MigrationDependencies & CheckDependencies,
): MigrationActivities {
  const { store } = dependencies;

  async function backupOf({ input }: MigrationWork): Promise<TableBackup | undefined> {
    const row = await store.migrationSteps.find(input.migrationId, `backup:${targetIn(input)}`);
    return row?.status === 'COMPLETED' ? (row.result as unknown as TableBackup) : undefined;
  }

  async function existingBackupOf(step: MigrationWork): Promise<TableBackup> {
    const backup = await backupOf(step);
    if (backup === undefined) throw new EngineError('ValidationError', 'there is no backup of the table');
    return backup;
  }

  /** The workflow does not come here otherwise; if it ever did, nothing would be changed. */
  async function refuseToApply({ input, document }: MigrationWork): Promise<void> {
    const { migrationId, round } = input;
    if (document.requires_approval) {
      const answer = await store.gates.answerOf(gateOfRound(migrationId, round));
      if (answer?.kind !== 'approved') throw new EngineError('PermissionDeniedError', 'Nobody approved this migration');
    }
    const restore = await store.migrationSteps.find(migrationId, `restore:${targetIn(input)}`);
    if (restore !== undefined) throw new EngineError('ValidationError', 'the table is being put back');
  }

  async function impactOf({ migration, written }: MigrationWork, touched: string[]): Promise<ImpactedPipeline[]> {
    const impact: ImpactedPipeline[] = [];
    let last = '';
    for (;;) {
      const pipelines = await store.pipelines.documents(migration.tenant, PIPELINES_AT_ONCE, last);
      for (const pipeline of pipelines) impact.push(...impactOn(pipeline, written, touched));
      if (pipelines.length < PIPELINES_AT_ONCE) return impact;
      last = pipelines.at(-1)?.pipelineId ?? '';
    }
  }

  return {
    validate_migration: migrationStep(dependencies, async (step) => {
      const found = await step.table.validate();
      const validated: Validated = { ...found, impact: await impactOf(step, found.touched) };
      return recorded(validated);
    }),

    create_backup: migrationStep(dependencies, async (step) => recorded(await step.table.backUp())),

    apply_migration: migrationStep(dependencies, async (step) => {
      await refuseToApply(step);
      const { notes } = await step.table.apply(await existingBackupOf(step));
      return { notes };
    }),

    validate_post_migration: migrationStep(dependencies, async (step) => {
      const { rows } = await step.table.verify(await existingBackupOf(step));
      const { target, migration, input, context } = step;
      const at = { tenant: migration.tenant, migrationId: input.migrationId, step: `verify-${input.position}` };
      const { failures, warnings } = await checkMigratedTable(dependencies, target, at, context);
      if (failures.length > 0) throw new EngineError('ValidationError', failures.join('; '));
      return { rows, notes: warnings };
    }),

    restore_backup: migrationStep(dependencies, async (step) => {
      const { changed, notes } = await step.table.restore(await existingBackupOf(step));
      return { changed, notes };
    }),

    release_backup: migrationStep(dependencies, async (step) => {
      // What became of a backup that was cut short, only making it again tells.
      const backup = (await backupOf(step)) ?? (await step.table.backUp());
      await step.table.release(backup);
      return {};
    }),
  };
}

/** `orders` of `apply:orders`. */
function targetIn({ step }: MigrationStepInput): string {
  return step.slice(step.indexOf(':') + 1);
}

/** Plain JSON, of which the types do not say that it is. */
function recorded(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}
