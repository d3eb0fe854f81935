/** The partitions of a backfill as a grid: one character each while there is room, else one for several neighbours. */
import type { BackfillAnswer } from '../schemas/api-backfills.ts';
import type { Screen } from './progress-view.ts';
import { inStyleOf } from './render.ts';

type State = NonNullable<BackfillAnswer['grid']>[number];

const SIGNS: Record<State, string> = {
  COMPLETED: '#',
  RUNNING: '>',
  FAILED: 'x',
  SKIPPED: '-',
  CANCELLED: '/',
  PENDING: '.',
};
const MAX_LINES = 12;
/** More the service does not answer. */
const MAX_CELLS = 5000;
/** What stands above, below and beside the grid. */
const OTHER_LINES = 8;
const MARGIN = 6;

/** How many characters of a grid the screen has room for; none where nothing can be drawn over. */
export function cellsOf({ isTTY, columns = 80, rows = 24 }: Screen): number {
  if (isTTY !== true) return 0;
  return Math.min(MAX_CELLS, widthOf(columns) * Math.max(1, Math.min(MAX_LINES, rows - OTHER_LINES)));
}

/** Lines as wide as the screen, and what the signs in them mean; none when the service answered no grid. */
export function renderGrid({ grid, partitions }: BackfillAnswer, { columns = 80 }: Screen): string[] {
  if (grid === undefined || grid.length === 0) return [];
  const width = widthOf(columns);
  const lines = Array.from({ length: Math.ceil(grid.length / width) }, (_, line) =>
    runsOf(grid.slice(line * width, (line + 1) * width))
      .map(({ state, length }) => inStyleOf(state, SIGNS[state].repeat(length)))
      .join(''),
  );
  const shown = (Object.keys(SIGNS) as State[]).filter((state) => grid.includes(state));
  const legend = shown.map((state) => `${SIGNS[state]} ${state.toLowerCase()}`).join('  ');
  const each = Math.ceil(partitions / grid.length);
  return [
    '',
    ...lines.map((line) => `  ${line}`),
    `  ${legend}${each > 1 ? `  (up to ${each} partitions a sign)` : ''}`,
  ];
}

function widthOf(columns: number): number {
  return Math.max(10, columns - MARGIN);
}

/** Neighbours of one state are coloured at once. */
function runsOf(states: readonly State[]): { state: State; length: number }[] {
  const runs: { state: State; length: number }[] = [];
  for (const state of states) {
    const last = runs.at(-1);
    if (last?.state === state) last.length += 1;
    else runs.push({ state, length: 1 });
  }
  return runs;
}
