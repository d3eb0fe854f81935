/** Migrations as the API shows them (spec section 4). */
import type { MigrationAnswer, MigrationSummary, ValidatedTarget } from '../schemas/api-migrations.ts';
import type { MigrationDocument, MigrationTarget } from '../schemas/migration.ts';
import type { MigrationStepRow, NewMigrationStep } from '../store/table-migration-steps.ts';
import type { MigrationRow } from '../store/table-migrations.ts';
import { targetNames } from '../schemas/migration-targets.ts';

type ShownTarget = MigrationSummary['targets'][number];
type ShownStep = MigrationAnswer['steps'][number];

/** What is planned of a round, in the order in which it is shown; restores appear when there are any. */
export function plannedSteps(document: MigrationDocument): NewMigrationStep[] {
  const names = targetNames(document);
  const each = (verb: string, activity: string, place: number): NewMigrationStep[] =>
    names.map((name, position) => ({ step: `${verb}:${name}`, activity, position, place: place + position }));
  const gate = { step: 'gate', activity: 'wait_for_approval', position: null, place: 100 };
  return [
    ...each('validate', 'validate_migration', 0),
    ...(document.requires_approval ? [gate] : []),
    ...each('backup', 'create_backup', 200),
    ...each('apply', 'apply_migration', 300),
    ...each('verify', 'validate_post_migration', 400),
    ...each('release', 'release_backup', 600),
  ];
}

export function migrationSummary(row: MigrationRow): MigrationSummary {
  const { migrationId, name, workflowId, status, reason, round, submittedAt, submittedBy, startedAt, finishedAt } = row;
  const document = row.document as unknown as MigrationDocument;
  return {
    migrationId,
    name,
    workflowId,
    status,
    ...(reason !== null && { reason }),
    round,
    targets: document.targets.map(shownTarget),
    requiresApproval: document.requires_approval,
    submittedAt: submittedAt.toISOString(),
    submittedBy,
    ...(startedAt && { startedAt: startedAt.toISOString() }),
    ...(finishedAt && { finishedAt: finishedAt.toISOString() }),
  };
}

export function migrationView(row: MigrationRow, steps: MigrationStepRow[]): MigrationAnswer {
  const summary = migrationSummary(row);
  const { result } = row;
  return {
    ...summary,
    steps: steps.map((step) => stepView(step, summary.targets)),
    validation: validatedTargets(steps, row.document as unknown as MigrationDocument),
    ...(result && {
      result: {
        status: result.status,
        ...(result.reason !== undefined && { reason: result.reason }),
        ...(result.leftToDo && { leftToDo: result.leftToDo }),
        ...(result.notes && { notes: result.notes }),
      },
    }),
  };
}

/** What was found of each target, as far as it was looked at. */
export function validatedTargets(steps: MigrationStepRow[], document: MigrationDocument): ValidatedTarget[] {
  return steps.flatMap(({ step, status, position, result }) => {
    const target = position === null ? undefined : document.targets[position];
    if (!step.startsWith('validate:') || status !== 'COMPLETED' || target === undefined || position === null) return [];
    const found = result as unknown as Omit<ValidatedTarget, keyof ShownTarget>;
    const { rows, before, after, touched, warnings, impact } = found;
    return [{ ...shownTarget(target, position), rows, before, after, touched, warnings, impact }];
  });
}

function stepView(row: MigrationStepRow, targets: ShownTarget[]): ShownStep {
  const { step, activity: type, position, status, attempts, startedAt, finishedAt, error } = row;
  const target = position === null ? undefined : targets[position];
  const { rows, notes } = (row.result ?? {}) as { rows?: number; notes?: string[] };
  return {
    step,
    type,
    ...(target && { target }),
    status,
    attempts,
    ...(startedAt && { startedAt: startedAt.toISOString() }),
    ...(finishedAt && { finishedAt: finishedAt.toISOString() }),
    ...(startedAt && finishedAt && { durationMs: Math.max(0, finishedAt.getTime() - startedAt.getTime()) }),
    ...(rows !== undefined && { rows }),
    ...(notes && notes.length > 0 && { notes }),
    ...(error && { error }),
  };
}

/** Without its connection, which may hold a password. */
function shownTarget({ type, table }: MigrationTarget, position: number): ShownTarget {
  return { position, type, table };
}
