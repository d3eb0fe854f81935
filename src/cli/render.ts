/** Answers of the API as a person reads them on a terminal. */
import { styleText } from 'node:util';
import type { PipelineSummary } from '../schemas/api-answers.ts';
import type { Execution, LogLine, Step, WorkflowStatus } from '../schemas/api-run-answers.ts';
import { formatDuration } from '../schemas/duration.ts';
import { printable } from './printable.ts';

type Style = Parameters<typeof styleText>[0];

const STATUS_STYLES: Record<string, Style> = {
  COMPLETED: 'green',
  RUNNING: 'cyan',
  FAILED: 'red',
  ROLLED_BACK: 'red',
  TIMED_OUT: 'red',
  TERMINATED: 'red',
  CANCELLED: 'yellow',
  SKIPPED: 'gray',
  PENDING: 'gray',
};
const BAR_WIDTH = 30;

export function colored(status: string): string {
  return inStyleOf(status, status);
}

/** Any text in the colour of a status. */
export function inStyleOf(status: string, text: string): string {
  return styleText(STATUS_STYLES[status] ?? 'white', text);
}

const COLOR = /\u001b\[\d+m/g;

export function withoutColors(text: string): string {
  return text.replace(COLOR, '');
}

/** Columns as wide as their widest cell. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => withoutColors(row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - withoutColors(cell).length)))
      .join('  ')
      .trimEnd();
  return [styleText('bold', line(header)), ...rows.map(line)].join('\n');
}

/** `[##########....................]  33 %` */
export function bar(fraction: number): string {
  const full = Math.round(Math.min(1, Math.max(0, fraction)) * BAR_WIDTH);
  return `[${'#'.repeat(full)}${'.'.repeat(BAR_WIDTH - full)}] ${String(Math.round(fraction * 100)).padStart(3)} %`;
}

/** A line for each step that has begun: its name, state, and how long it took. */
export function activityLines({ activities }: WorkflowStatus): string[] {
  const width = Math.max(0, ...activities.map(({ step }) => step.length));
  return activities.map(({ step, status, duration, startedAt, attempt, error }) => {
    const when = duration ?? (startedAt === undefined ? '' : `since ${startedAt}`);
    const again = attempt === undefined ? '' : `  attempt ${attempt}`;
    const failure = error === undefined ? '' : `  ${styleText('red', printable(error))}`;
    return `${step.padEnd(width)}  ${colored(status)}  ${when}${again}${failure}`.trimEnd();
  });
}

export function renderStatus(status: WorkflowStatus): string {
  const lines = [
    `${status.executionId ?? status.workflowId}  ${colored(status.status)}  ${bar(status.progress)}`,
    ...activityLines(status).map((line) => `  ${line}`),
  ];
  if (status.currentActivity === 'wait_for_slot') lines.push('Waits for other runs of this pipeline to end.');
  if (status.pendingSignals.includes('approval')) {
    const id = status.executionId ?? status.workflowId;
    lines.push(`Waits for approval: pipelines quality ${id}, then pipelines approve (or reject) ${id}`);
  }
  if (status.paused === true) lines.push('Paused: "pipelines resume" lets it go on.');
  if (status.asOf !== undefined) lines.push(`No worker answers; this is what was known at ${status.asOf}.`);
  if (status.result?.reason !== undefined) lines.push(`Reason: ${printable(status.result.reason)}`);
  for (const note of status.notes ?? []) lines.push(`Note: ${printable(note)}`);
  return lines.join('\n');
}

export function renderExecutions(executions: readonly Execution[]): string {
  if (executions.length === 0) return 'No such runs.';
  return table(
    ['EXECUTION', 'PIPELINE', 'STATUS', 'ROWS', 'TOOK', 'STARTED'],
    executions.map((run) => [
      run.executionId,
      run.pipelineName,
      colored(run.status),
      String(run.metrics.rowsProcessed),
      formatDuration(run.metrics.elapsedMs),
      run.startedAt,
    ]),
  );
}

export function renderPipelines(pipelines: readonly PipelineSummary[]): string {
  if (pipelines.length === 0) return 'No pipelines are registered.';
  return table(
    ['NAME', 'VERSION', 'REVISION', 'ENABLED', 'ID'],
    pipelines.map(({ name, version, revision, enabled, pipelineId }) => [
      name,
      printable(version),
      String(revision),
      enabled ? 'yes' : 'no',
      pipelineId,
    ]),
  );
}

export function renderSteps(steps: readonly Step[]): string {
  return table(
    ['STEP', 'STATUS', 'ATTEMPTS', 'ROWS', 'TOOK'],
    steps.map((step) => [
      step.step,
      step.reusedFrom === undefined ? colored(step.status) : `${colored(step.status)} (by ${step.reusedFrom})`,
      String(step.attempts),
      step.rows === undefined ? '' : String(step.rows),
      step.durationMs === undefined ? '' : formatDuration(step.durationMs),
    ]),
  );
}

export function renderLogs(lines: readonly (LogLine & { step: string })[]): string {
  return lines
    .map(({ at, step, attempt, level, message }) => `${at}  ${step}  #${attempt} ${level}  ${printable(message)}`)
    .join('\n');
}
