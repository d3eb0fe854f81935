/** What every command works with. */
import type { Command } from 'commander';
import type { BackfillAnswer } from '../schemas/api-backfills.ts';
import type { WorkflowStatus } from '../schemas/api-run-answers.ts';
import type { ApiClient } from './api-client.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { followBackfill } from './follow-backfill.ts';
import { followRun } from './watch.ts';
import { ProgressView, type Screen } from './progress-view.ts';
import { renderStatus } from './render.ts';
import { renderBackfill } from './render-backfill.ts';
import { cellsOf, renderGrid } from './render-grid.ts';
import { renderMigration } from './render-migration.ts';

export interface ProgramOptions {
  api: ApiClient;
  screen: Screen;
  setExitCode: (code: number) => void;
}

export class CommandContext {
  readonly api: ApiClient;
  readonly setExitCode: (code: number) => void;
  readonly #program: Command;
  readonly #screen: Screen;

  constructor(program: Command, { api, screen, setExitCode }: ProgramOptions) {
    this.#program = program;
    this.api = api;
    this.#screen = screen;
    this.setExitCode = setExitCode;
  }

  /** The answer as it is with `--json`, else as a person reads it. */
  show(answer: unknown, render: () => string): void {
    this.#screen.write(`${this.#asJson ? JSON.stringify(answer, null, 2) : render()}\n`);
  }

  /** Shows a run's progress until it ends, or waits at the gate when that is wanted; the exit code is then the run's. */
  async follow(workflowId: string, untilGate: boolean): Promise<void> {
    const view = new ProgressView(this.#screen);
    const onChange = (status: WorkflowStatus): void => {
      if (!this.#asJson) view.show(status);
    };
    const status = await followRun(this.api, workflowId, { untilGate, onChange });
    this.show(status, () => renderStatus(status));
    this.setExitCode(exitCodeOf(status));
  }

  /** Shows a backfill's progress until it ends; the exit code is then the backfill's. */
  async followBackfill(backfillId: string): Promise<void> {
    const view = new ProgressView(this.#screen);
    const onChange = (backfill: BackfillAnswer): void => {
      if (!this.#asJson) view.draw([...renderBackfill(backfill).split('\n'), ...renderGrid(backfill, this.#screen)]);
    };
    const cells = (): number => (this.#asJson ? 0 : cellsOf(this.#screen));
    const ended = await followBackfill(this.api, backfillId, onChange, cells);
    view.settle();
    if (this.#asJson) this.show(ended, () => renderBackfill(ended));
    this.setExitCode(
      ended.status === 'COMPLETED' ? EXIT.completed : ended.status === 'CANCELLED' ? EXIT.cancelled : EXIT.failed,
    );
  }

  /** Shows a migration's progress until it ends or waits for approval; the exit code tells which. */
  async followMigration(migrationId: string): Promise<void> {
    const { workflowId } = await this.api.migration(migrationId);
    const view = new ProgressView(this.#screen);
    const onChange = (status: WorkflowStatus): void => {
      if (!this.#asJson) view.show(status);
    };
    const status = await followRun(this.api, workflowId, { untilGate: true, onChange });
    const migration = await this.api.migration(migrationId);
    this.show(migration, () => renderMigration(migration));
    this.setExitCode(exitCodeOf(status));
  }

  /** @param id of an execution or of its workflow */
  async workflowOf(id: string): Promise<string> {
    return isWorkflowId(id) ? id : (await this.api.execution(id)).workflowId;
  }

  /** @param id of an execution or of its workflow */
  async executionOf(id: string): Promise<string> {
    return isWorkflowId(id) ? ((await this.api.status(id)).executionId ?? id) : id;
  }

  get #asJson(): boolean {
    return this.#program.opts<{ json?: boolean }>().json === true;
  }
}

function isWorkflowId(id: string): boolean {
  return /^(pipeline|backfill|migration)-/.test(id);
}
