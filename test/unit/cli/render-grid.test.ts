/** A backfill's partitions, as a terminal of some width shows them. */
import { expect, test } from 'vitest';
import type { BackfillAnswer } from '../../../src/schemas/api-backfills.ts';
import { cellsOf, renderGrid } from '../../../src/cli/render-grid.ts';
import { withoutColors } from '../../../src/cli/render.ts';

const write = () => true;
type Grid = NonNullable<BackfillAnswer['grid']>;

function rendered(grid: Grid | undefined, { partitions = grid?.length ?? 0, columns = 26 } = {}): string[] {
  const backfill = { partitions, ...(grid && { grid }) } as BackfillAnswer;
  return renderGrid(backfill, { columns, write }).map(withoutColors);
}

test('a grid, when there is room for each partition, has a sign for each, in order, and says what they mean', () => {
  const grid: Grid = ['SKIPPED', 'COMPLETED', 'COMPLETED', 'FAILED', 'CANCELLED', 'RUNNING', 'PENDING'];
  expect(rendered(grid)).toEqual([
    '',
    '  -##x/>.',
    '  # completed  > running  x failed  - skipped  / cancelled  . pending',
  ]);
});

test('a grid, when it is wider than the terminal, goes on in the next line', () => {
  const grid = Array.from({ length: 45 }, (_, at): Grid[number] => (at < 22 ? 'COMPLETED' : 'PENDING'));
  const [, ...lines] = rendered(grid);
  expect(lines.slice(0, 3)).toEqual([`  ${'#'.repeat(20)}`, `  ##${'.'.repeat(18)}`, `  ${'.'.repeat(5)}`]);
  expect(lines.slice(3)).toEqual(['  # completed  . pending']);
});

test('a grid, when partitions share signs, says how many at most', () => {
  const grid = Array.from({ length: 20 }, (): Grid[number] => 'COMPLETED');
  expect(rendered(grid, { partitions: 10_000 }).at(-1)).toBe('  # completed  (up to 500 partitions a sign)');
});

test('a grid, when none was asked for, is nothing', () => {
  expect(rendered(undefined)).toEqual([]);
});

test.each([
  ['a terminal of 80 by 24', { isTTY: true, columns: 80, rows: 24 }, 74 * 12],
  ['a low one', { isTTY: true, columns: 80, rows: 12 }, 74 * 4],
  ['one of a single line', { isTTY: true, columns: 80, rows: 1 }, 74],
  ['a narrow one', { isTTY: true, columns: 8, rows: 24 }, 10 * 12],
  ['a very wide one', { isTTY: true, columns: 900, rows: 60 }, 5000],
  ['a file', { isTTY: false, columns: 80, rows: 24 }, 0],
])('the cells that are asked for, when the screen is %s, fit into it', (_, screen, expected) => {
  expect(cellsOf({ ...screen, write })).toBe(expected);
});
