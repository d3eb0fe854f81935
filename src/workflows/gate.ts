/**
 * The gate: waits for a person (spec section 2). The answer is what stands in the store under the gate's
 * unique key; signals only say that it is worth looking. The deadline takes the same key, so that exactly one of a
 * yes, a no and silence ever counts.
 */
import { condition } from '@temporalio/workflow';
import type { GateAnswer } from './messages.ts';
import { notify } from './notify.ts';
import { recorder } from './run-recorder.ts';
import type { RunContext } from './run-step.ts';

export interface GateSignals {
  /** How many `approval` signals have arrived. */
  received: number;
}

/** A gate that is open. */
export interface OpenGate {
  /** The key under which its answer is recorded. */
  executionId: string;
  openedAtMs: number;
  deadlineAtMs: number;
  remindAfterMs: readonly number[];
  /** Tells people that it waits: now, and at each reminder. */
  tell: () => void;
  note: (text: string) => void;
}

export type AnswerReader = Pick<typeof recorder, 'read_gate_answer' | 'settle_gate'>;

/** Opens the gate of a run and waits: answers what a person said, or `expired`. */
export async function waitForApproval(run: RunContext, signals: GateSignals): Promise<GateAnswer> {
  const { executionId, plan } = run.input;
  const { tracker } = run;
  tracker.started('gate');
  const { openedAtMs, deadlineAtMs } = await recorder.open_gate({ executionId, timeoutMs: plan.gate.timeoutMs });
  tracker.waitsForApproval = true;
  try {
    const gate: OpenGate = {
      executionId,
      openedAtMs,
      deadlineAtMs,
      remindAfterMs: plan.gate.remindAfterMs,
      tell: () => void notify(run, 'quality_issue'),
      note: (text) => {
        tracker.note(text);
      },
    };
    return await waitForAnswer(gate, signals, recorder);
  } finally {
    tracker.waitsForApproval = false;
  }
}

/** What a person said, or `expired`. */
export async function waitForAnswer(gate: OpenGate, signals: GateSignals, reader: AnswerReader): Promise<GateAnswer> {
  const { executionId, openedAtMs, deadlineAtMs } = gate;
  const alarms = gate.remindAfterMs
    .map((afterMs) => openedAtMs + afterMs)
    .filter((atMs) => atMs < deadlineAtMs)
    .sort((a, b) => a - b);
  gate.tell();
  let told = false;
  for (;;) {
    const seen = signals.received;
    const answer = await reader.read_gate_answer({ executionId });
    if (answer !== null) return answer;
    if (told) gate.note('an approval signal that names no recorded answer was ignored');
    const nextMs = alarms[0] ?? deadlineAtMs;
    told = await condition(() => signals.received > seen, Math.max(1, nextMs - Date.now()));
    if (told) continue;
    if (alarms.shift() === undefined) return await reader.settle_gate({ executionId });
    gate.tell();
  }
}
