import { expect, test } from 'vitest';
import { ProgressView } from '../../../src/cli/progress-view.ts';
import type { WorkflowStatus } from '../../../src/schemas/api-run-answers.ts';
import { runStatus } from './statuses.ts';

type Activity = WorkflowStatus['activities'][number];

function screen(size: { isTTY?: boolean; columns?: number; rows?: number } = {}) {
  const written: string[] = [];
  return { ...size, written, write: (text: string) => written.push(text) };
}

const running = (step: string): Activity => ({ name: 'run_sql', step, status: 'RUNNING' });
const completed = (step: string): Activity => ({ name: 'run_sql', step, status: 'COMPLETED', duration: '3s' });

test('progress, when there is no terminal, is a line for each change', () => {
  const plain = screen();
  const view = new ProgressView(plain);
  view.show(runStatus({ activities: [running('transform:a')] }));
  view.show(runStatus({ activities: [running('transform:a')], progress: 0.1 }));
  view.show(runStatus({ activities: [{ ...running('transform:a'), attempt: 2, error: 'disk\u001b[2J full' }] }));
  view.show(runStatus({ activities: [completed('transform:a'), running('transform:b')] }));
  expect(plain.written).toEqual([
    '  transform:a  RUNNING\n',
    '  transform:a  RUNNING  attempt 2  disk�[2J full\n',
    '  transform:a  COMPLETED  3s\n',
    '  transform:b  RUNNING\n',
  ]);
});

test('progress, when there is a terminal, is drawn over what was drawn before', () => {
  const terminal = screen({ isTTY: true, columns: 80, rows: 24 });
  const view = new ProgressView(terminal);
  view.show(runStatus({ activities: [running('transform:a')] }));
  view.show(runStatus({ activities: [completed('transform:a'), running('transform:b')], progress: 0.5 }));
  expect(terminal.written[0]).toMatch(/^ {2}\[\.{30}\] {3}0 %\n/);
  expect(terminal.written[1]).toMatch(/^\u001b\[2A\u001b\[0J {2}\[#{15}\.{15}\] {2}50 %\n/);
});

test('progress, when something was printed since, is drawn below it', () => {
  const terminal = screen({ isTTY: true, columns: 80, rows: 24 });
  const view = new ProgressView(terminal);
  view.show(runStatus());
  view.settle();
  view.show(runStatus());
  expect(terminal.written[1]).not.toContain('\u001b[1A');
});

test('progress, when the terminal is small, takes no more lines and columns than it has', () => {
  const terminal = screen({ isTTY: true, columns: 30, rows: 6 });
  const steps = Array.from({ length: 20 }, (_, index) => running(`transform:a-rather-long-name-${index}`));
  new ProgressView(terminal).show(runStatus({ activities: steps }));
  const lines = (terminal.written[0] ?? '').trimEnd().split('\n');
  expect(lines.length).toBeLessThan(6);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(30);
});
