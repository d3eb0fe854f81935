/** Migrations as a person reads them on a terminal. */
import type {
  MigrationAnswer,
  MigrationPreview,
  MigrationSummary,
  ValidatedTarget,
} from '../schemas/api-migrations.ts';
import { formatDuration } from '../schemas/duration.ts';
import { printable } from './printable.ts';
import { colored, table } from './render.ts';

export function renderMigration(migration: MigrationAnswer): string {
  const { migrationId, name, status, reason, result, workflowId } = migration;
  const waits = migration.steps.some(({ step, status: state }) => step === 'gate' && state === 'RUNNING');
  return [
    `${migrationId}  ${name}  ${colored(status)}`,
    ...stepLines(migration),
    ...(waits
      ? [
          ...renderTargets(migration.validation),
          `Waits for approval: pipelines approve ${workflowId}, or pipelines reject ${workflowId}`,
        ]
      : []),
    ...(reason === undefined ? [] : [`Reason: ${printable(reason)}`]),
    ...(result?.leftToDo ?? []).map(({ target, what }) => `Not put back: ${target}: ${printable(what)}`),
    ...(result?.leftToDo === undefined ? [] : [`Try that again: pipelines migrations --retry ${migrationId}`]),
    ...(result?.notes ?? []).map((note) => `Note: ${printable(note)}`),
  ].join('\n');
}

/** A line for each step that has begun. */
function stepLines({ steps }: MigrationAnswer): string[] {
  return steps
    .filter(({ status }) => status !== 'PENDING' && status !== 'SKIPPED')
    .map(({ step, status, attempts, durationMs, error, notes = [] }) => {
      const took = durationMs === undefined ? '' : `  ${formatDuration(durationMs)}`;
      const again = attempts > 1 ? `  attempt ${attempts}` : '';
      const told = [...(error === undefined ? [] : [error.message]), ...notes].map((text) => `  ${printable(text)}`);
      return `  ${step}  ${colored(status)}${took}${again}${told.join('')}`;
    });
}

export function renderPreview({ valid, errors, targets }: MigrationPreview): string {
  return [
    valid ? 'It can be done.' : 'It cannot be done:',
    ...errors.map(({ path, message }) => `  ${path}: ${printable(message)}`),
    ...renderTargets(targets),
  ].join('\n');
}

function renderTargets(targets: readonly ValidatedTarget[]): string[] {
  return targets.flatMap(({ table: name, rows, before, after, warnings, impact }) => [
    `${name}: ${rows} rows`,
    ...changedColumns(before, after).map((line) => `  ${line}`),
    ...warnings.map((warning) => `  Mind: ${printable(warning)}`),
    ...impact.map(({ name: pipeline, how, step, columns, mayUse }) => {
      const named = columns.length > 0 ? ` names ${columns.join(', ')}` : '';
      const open = mayUse.length > 0 ? `${named === '' ? '' : ','} may use ${mayUse.join(', ')}` : '';
      return `  ${pipeline} ${how} it (${step})${named}${open}`;
    }),
  ]);
}

function changedColumns(before: ValidatedTarget['before'], after: ValidatedTarget['after']): string[] {
  const lines = (columns: ValidatedTarget['before']): string[] =>
    columns.map(({ name, type, required, default: value }) =>
      [
        printable(name),
        printable(type),
        required ? 'required' : '',
        value === undefined ? '' : `default ${printable(value)}`,
      ]
        .filter((part) => part !== '')
        .join(' '),
    );
  const [old, wanted] = [lines(before), lines(after)];
  return [
    ...old.filter((line) => !wanted.includes(line)).map((line) => `- ${line}`),
    ...wanted.filter((line) => !old.includes(line)).map((line) => `+ ${line}`),
  ];
}

export function renderMigrations(migrations: readonly MigrationSummary[]): string {
  if (migrations.length === 0) return 'No migrations.';
  return table(
    ['MIGRATION', 'NAME', 'STATUS', 'TABLES', 'SUBMITTED'],
    migrations.map(({ migrationId, name, status, targets, submittedAt }) => [
      migrationId,
      name,
      colored(status),
      targets.map((target) => printable(target.table)).join(', '),
      submittedAt,
    ]),
  );
}
