/** What a run has done so far: the state behind the `progress` query and the records that outlive the workflow. */
import type { PipelineRunInput, RunProgress, RunStatus, StepProgress, StepStatus } from './messages.ts';

const GATE_ACTIVITY = 'wait_for_approval';
/** Notes are for people: beyond this many the run says only that there were more. */
const NOTES_LIMIT = 50;

export class RunTracker {
  status: RunStatus = 'RUNNING';
  paused = false;
  waitsForSlot = false;
  waitsForApproval = false;
  readonly #steps = new Map<string, StepProgress>();
  readonly #notes: string[] = [];

  constructor(input: PipelineRunInput) {
    const { plan, reused } = input;
    const planned: [string, string][] = [
      ...plan.extractions.map(({ step, activity }): [string, string] => [step, activity]),
      ['quality', 'validate_quality'],
      ['gate', GATE_ACTIVITY],
      ...[...plan.transformations, ...plan.loads].map(({ step, activity }): [string, string] => [step, activity]),
      ['notify', 'notify_pipeline_completion'],
    ];
    for (const [step, activity] of planned) {
      this.#steps.set(step, { step, activity, status: step in reused ? 'COMPLETED' : 'PENDING' });
    }
  }

  started(step: string, activity?: string): void {
    const now = new Date().toISOString();
    const state = this.#step(step);
    state.status = 'RUNNING';
    state.startedAt ??= now;
    if (activity !== undefined) state.activity = activity;
    delete state.error;
  }

  finished(step: string, status: Exclude<StepStatus, 'PENDING' | 'RUNNING'>, error?: string): void {
    const state = this.#step(step);
    state.status = status;
    state.finishedAt = new Date().toISOString();
    if (error !== undefined) state.error = error;
  }

  note(text: string): void {
    if (this.#notes.length < NOTES_LIMIT) this.#notes.push(text);
    else if (this.#notes.length === NOTES_LIMIT) this.#notes.push('further notes were left out');
  }

  /** Steps that the run ends without: they were not reached, or were stopped. */
  settleRemaining(status: 'SKIPPED' | 'CANCELLED'): void {
    for (const state of this.#steps.values()) {
      if (state.status === 'PENDING') state.status = status;
      else if (state.status === 'RUNNING') this.finished(state.step, 'CANCELLED');
    }
  }

  steps(): StepProgress[] {
    return [...this.#steps.values()];
  }

  progress(): RunProgress {
    return {
      status: this.status,
      paused: this.paused,
      currentActivity: this.#currentActivity(),
      pendingSignals: this.waitsForApproval ? ['approval'] : [],
      steps: this.steps(),
      notes: this.#notes,
    };
  }

  #currentActivity(): string | null {
    if (this.waitsForApproval) return GATE_ACTIVITY;
    if (this.waitsForSlot) return 'wait_for_slot';
    return this.steps().find(({ status }) => status === 'RUNNING')?.activity ?? null;
  }

  #step(step: string): StepProgress {
    const state = this.#steps.get(step);
    if (state === undefined) throw new TypeError(`no step ${step} was planned`);
    return state;
  }
}
