/** Answers of the API as a person reads them on a terminal. */
import { styleText } from 'node:util';
import type { Execution, PipelineSummary, QualityReportAnswer, WorkflowStatus } from '../schemas/api.ts';
import { formatDuration } from '../schemas/duration.ts';

type Style = Parameters<typeof styleText>[0];

const STATUS_STYLES: Record<string, Style> = {
  COMPLETED: 'green',
  RUNNING: 'cyan',
  FAILED: 'red',
  TIMED_OUT: 'red',
  TERMINATED: 'red',
  CANCELLED: 'yellow',
  SKIPPED: 'gray',
  PENDING: 'gray',
};
const BAR_WIDTH = 30;

export function colored(status: string): string {
  return styleText(STATUS_STYLES[status] ?? 'white', status);
}

/** Columns as wide as their widest cell; control characters of colours take no room. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const plain = (text: string) => text.replace(/\u001b\[\d+m/g, ''); // eslint-disable-line no-control-regex -- the colours' own escape
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => plain(row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - plain(cell).length)))
      .join('  ')
      .trimEnd();
  return [styleText('bold', line(header)), ...rows.map(line)].join('\n');
}

export function bar(fraction: number): string {
  const full = Math.round(Math.min(1, Math.max(0, fraction)) * BAR_WIDTH);
  return `[${'#'.repeat(full)}${'.'.repeat(BAR_WIDTH - full)}] ${String(Math.round(fraction * 100)).padStart(3)} %`;
}

export function renderStatus(status: WorkflowStatus): string {
  const lines = [
    `${status.workflowId}  ${colored(status.status)}  ${bar(status.progress)}`,
    ...status.activities.map((activity) => {
      const when = activity.duration ?? (activity.startedAt === undefined ? '' : `since ${activity.startedAt}`);
      const attempt = activity.attempt === undefined ? '' : ` (attempt ${activity.attempt})`;
      const error = activity.error === undefined ? '' : `  ${styleText('red', activity.error)}`;
      return `  ${activity.step.padEnd(28)} ${colored(activity.status)}${attempt}  ${when}${error}`;
    }),
  ];
  if (status.pendingSignals.includes('approval')) {
    lines.push('Waits for approval: "pipelines approve" or "pipelines reject" with this id.');
  }
  if (status.paused === true) lines.push('Paused: "pipelines resume" lets it go on.');
  if (status.asOf !== undefined) lines.push(`No worker answers; this is what was known at ${status.asOf}.`);
  if (status.result?.reason !== undefined) lines.push(`Reason: ${status.result.reason}`);
  for (const note of status.notes ?? []) lines.push(`Note: ${note}`);
  return lines.join('\n');
}

export function renderExecutions(executions: readonly Execution[]): string {
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
  return table(
    ['NAME', 'VERSION', 'REVISION', 'ENABLED', 'ID'],
    pipelines.map(({ name, version, revision, enabled, pipelineId }) => [
      name,
      version,
      String(revision),
      enabled ? 'yes' : 'no',
      pipelineId,
    ]),
  );
}

export function renderQuality(report: QualityReportAnswer): string {
  const rows = report.checks.map((check) => [
    check.passed ? styleText('green', 'passed') : styleText('red', 'FAILED'),
    check.severity,
    check.type,
    [check.source, (check as { column?: string }).column].filter(Boolean).join('.'),
    check.failingRows === undefined ? '' : String(check.failingRows),
    JSON.stringify(check.observed ?? null).slice(0, 60),
  ]);
  return `Quality score ${report.score.toFixed(3)}\n${table(['CHECK', 'SEVERITY', 'TYPE', 'OF', 'FAILING ROWS', 'OBSERVED'], rows)}`;
}
