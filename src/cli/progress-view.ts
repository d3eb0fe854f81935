/** A run's progress while one looks on: on a terminal a bar and its steps, drawn over; elsewhere a line for each change. */
import type { WorkflowStatus } from '../schemas/api-run-answers.ts';
import { printable } from './printable.ts';
import { activityLines, bar, colored, withoutColors } from './render.ts';

export interface Screen {
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  rows?: number | undefined;
  write(text: string): unknown;
}

export class ProgressView {
  readonly #screen: Screen;
  readonly #told = new Set<string>();
  #drawnLines = 0;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  show(status: WorkflowStatus): void {
    if (this.#screen.isTTY === true) this.#draw([bar(status.progress), ...activityLines(status)]);
    else this.#tell(status);
  }

  /** Lines that are drawn over on a terminal, and told one after the other elsewhere. */
  draw(lines: string[]): void {
    if (this.#screen.isTTY === true) this.#draw(lines);
    else this.#screen.write(`${lines.slice(0, 2).join('  ')}\n`);
  }

  /** What was drawn stays as it is; what comes next is drawn below. */
  settle(): void {
    this.#drawnLines = 0;
  }

  #draw(lines: string[]): void {
    const { columns = 80, rows = 24 } = this.#screen;
    // A line that wraps, or that has scrolled away, cannot be drawn over: the last steps are those at work.
    const [head = '', ...steps] = lines;
    const shown = [head, ...steps.slice(-Math.max(1, rows - 2))].map((line) => `  ${cut(line, columns - 3)}`);
    const up = this.#drawnLines > 0 ? `\u001b[${this.#drawnLines}A\u001b[0J` : '';
    this.#screen.write(`${up}${shown.join('\n')}\n`);
    this.#drawnLines = shown.length;
  }

  #tell({ activities }: WorkflowStatus): void {
    for (const { step, status, duration, attempt, error } of activities) {
      const again = attempt === undefined ? '' : `  attempt ${attempt}`;
      const key = `${step} ${status}${again}`;
      if (this.#told.has(key)) continue;
      this.#told.add(key);
      const took = status === 'RUNNING' || duration === undefined ? '' : `  ${duration}`;
      const failure = error === undefined || status === 'COMPLETED' ? '' : `  ${printable(error)}`;
      this.#screen.write(`  ${step}  ${colored(status)}${took}${again}${failure}\n`);
    }
  }
}

/** Colours are given up where a line is too long. */
function cut(line: string, width: number): string {
  const plain = withoutColors(line);
  return plain.length <= width ? line : `${plain.slice(0, Math.max(0, width - 1))}…`;
}
