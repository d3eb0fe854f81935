/** Backfills as a person reads them on a terminal. */
import type { BackfillAnswer, BackfillPreview } from '../schemas/api-backfills.ts';
import { formatDuration } from '../schemas/duration.ts';
import { printable } from './printable.ts';
import { bar, colored, table } from './render.ts';

export function renderBackfill(backfill: BackfillAnswer): string {
  const { counts, rate, estimate } = backfill;
  const states = Object.entries(counts).flatMap(([state, count]) => (count > 0 ? [`${count} ${colored(state)}`] : []));
  const pace = rate === null ? [] : [`${rate} partitions a minute`];
  const left = estimate === null ? [] : [`about ${formatDuration(Math.max(1000, estimate.remainingMs))} left`];
  return [
    `${backfill.backfillId}  ${colored(backfill.status)}  ${bar(backfill.progress)}`,
    `  ${states.join(', ')}`,
    `  ${[`${backfill.rows} rows`, ...pace, ...left].join(', ')}`,
    ...(backfill.paused ? ['Paused: "pipelines backfill resume" lets it go on.'] : []),
    ...(backfill.reason === undefined ? [] : [`Reason: ${printable(backfill.reason)}`]),
  ].join('\n');
}

export function renderPreview({ data, toRun, toSkip }: BackfillPreview): string {
  const rows = data.map(({ start, end, action, reason }) => [start, end, action, reason ?? '']);
  return `${table(['START', 'END', 'ACTION', 'WHY'], rows)}\n${toRun} to be processed, ${toSkip} to be skipped`;
}
