import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';
import type { NewRun } from '../../../src/store/runs.ts';
import { newPipeline, submittedRun } from './store-fixtures.ts';
import type { Subject } from './on-each-database.ts';

const HOUR_MS = 3_600_000;
const FIRST_PAGE = { page: 0, size: 20 };

export function gatesSuite(subject: Subject): void {
  async function openGate(timeoutMs = HOUR_MS, changes: Partial<NewRun> = {}) {
    const { executionId, workflowId, tenant } = await submittedRun(subject.store, changes);
    await subject.store.quality.save(executionId, 0.5, { score: 0.5 });
    await subject.store.gates.open({ executionId, tenant, workflowId, timeoutMs, approvers: ['role:approver'] });
    return { executionId, workflowId };
  }

  const says = (executionId: string, kind: 'approved' | 'rejected', answerId: string = randomUUID()) =>
    subject.store.gates.answer({ executionId, answerId, kind, by: 'ada', comment: 'seen' });

  test('A gate, when it is opened again, stays as it was', async () => {
    const { executionId, workflowId, tenant } = await submittedRun(subject.store);
    const { gates } = subject.store;
    const gate = { executionId, tenant, workflowId, timeoutMs: 1500, approvers: ['bob'] };
    const opened = await gates.open(gate);
    expect(opened.deadlineAt.getTime() - opened.openedAt.getTime()).toBe(1500);
    expect(Math.abs(opened.openedAt.getTime() - Date.now())).toBeLessThan(60_000);
    expect(await gates.open({ ...gate, timeoutMs: HOUR_MS, approvers: [] })).toEqual(opened);
    expect(await gates.find(executionId)).toEqual(opened);
    expect(await gates.answerOf(executionId)).toBeUndefined();
  });

  test('An answer, when the gate is open, is recorded once, and again for the same answer id', async () => {
    const { executionId } = await openGate();
    const recorded = await says(executionId, 'approved', 'answer-1');
    expect(recorded).toMatchObject({
      outcome: 'recorded',
      answer: { answerId: 'answer-1', kind: 'approved', answeredBy: 'ada', comment: 'seen', deliveredAt: null },
    });
    expect(await says(executionId, 'approved', 'answer-1')).toEqual(recorded);
    expect(await says(executionId, 'rejected')).toMatchObject({
      outcome: 'already-answered',
      answer: { answerId: 'answer-1' },
    });
  });

  test('An answer, when there is no gate or no report yet, is not taken', async () => {
    const { executionId, workflowId, tenant } = await submittedRun(subject.store);
    expect(await says(executionId, 'approved')).toEqual({ outcome: 'not-open' });
    await subject.store.quality.save(executionId, 0.5, {});
    expect(await says(executionId, 'approved')).toEqual({ outcome: 'not-open' });
    const blind = await submittedRun(subject.store);
    await subject.store.gates.open({ ...blind, tenant, workflowId, timeoutMs: HOUR_MS, approvers: [] });
    expect(await says(blind.executionId, 'approved')).toEqual({ outcome: 'not-open' });
    expect(await subject.store.gates.answerOf(blind.executionId)).toBeUndefined();
  });

  test('An answer, when the deadline has passed but no worker saw it, is too late, and silence wins', async () => {
    const { executionId } = await openGate(0);
    expect(await says(executionId, 'approved')).toEqual({ outcome: 'too-late' });
    const settled = await subject.store.gates.settle({ executionId, kind: 'expired' });
    expect(settled.kind).toBe('expired');
    expect(await subject.store.gates.settle({ executionId, kind: 'expired' })).toEqual(settled);
    expect(await says(executionId, 'rejected')).toEqual({ outcome: 'too-late' });
  });

  test('Answers, when many are given at once, are one answer that all others are told', async () => {
    const { executionId } = await openGate();
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, (_, n) => says(executionId, n % 2 === 0 ? 'approved' : 'rejected')),
    );
    expect(outcomes.filter(({ outcome }) => outcome === 'recorded')).toHaveLength(1);
    expect(outcomes.filter(({ outcome }) => outcome === 'already-answered')).toHaveLength(11);
    const ids = new Set(outcomes.map((each) => ('answer' in each ? each.answer.answerId : '')));
    expect([...ids]).toEqual([(await subject.store.gates.answerOf(executionId))?.answerId]);
  });

  test('An answer, when the deadline and the end of the run race it, is what both find, or is refused', async () => {
    for (let round = 0; round < 8; round++) {
      const { executionId } = await openGate();
      const [answered, settled, closed] = await Promise.all([
        says(executionId, 'approved'),
        subject.store.gates.settle({ executionId, kind: 'expired' }),
        subject.store.runs.close({ executionId, status: 'CANCELLED' }),
      ]);
      const winner = await subject.store.gates.answerOf(executionId);
      expect(closed.first).toBe(true);
      expect(settled).toEqual(winner);
      expect(answered.outcome === 'recorded').toBe(winner?.kind === 'approved');
    }
  });

  test('The gate of a run, when the run ends first, is closed; when it was answered, the answer stays', async () => {
    const open = (await openGate()).executionId;
    await subject.store.runs.close({ executionId: open, status: 'TERMINATED' });
    expect((await subject.store.gates.answerOf(open))?.kind).toBe('closed');
    expect(await says(open, 'approved')).toEqual({ outcome: 'not-open' });
    const answered = (await openGate()).executionId;
    await says(answered, 'rejected');
    await subject.store.runs.close({ executionId: answered, status: 'CANCELLED' });
    expect((await subject.store.gates.answerOf(answered))?.kind).toBe('rejected');
  });

  test('A gate, when it opens after its run ended, takes no answer', async () => {
    const { executionId, workflowId, tenant } = await submittedRun(subject.store);
    await subject.store.quality.save(executionId, 0.5, {});
    await subject.store.runs.close({ executionId, status: 'TERMINATED' });
    await subject.store.gates.open({ executionId, tenant, workflowId, timeoutMs: HOUR_MS, approvers: [] });
    expect(await says(executionId, 'approved')).toEqual({ outcome: 'not-open' });
    await expect(subject.store.gates.settle({ executionId: 'nobody', kind: 'expired' })).rejects.toMatchObject({
      code: 'RESOURCE_NOT_FOUND',
    });
  });

  test('An answer, until the workflow is known to have it, is undelivered', async () => {
    const { gates } = subject.store;
    const { executionId, workflowId } = await openGate();
    await says(executionId, 'approved', 'answer-2');
    const later = new Date(Date.now() + HOUR_MS);
    const undelivered = async (before: Date) =>
      (await gates.undelivered(before)).filter((answer) => answer.executionId === executionId);
    expect(await undelivered(new Date(0))).toEqual([]);
    expect(await undelivered(later)).toEqual([{ answerId: 'answer-2', executionId, workflowId }]);
    await gates.markDelivered('answer-2');
    expect(await undelivered(later)).toEqual([]);
    const silent = (await openGate(0)).executionId;
    await gates.settle({ executionId: silent, kind: 'expired' });
    expect((await gates.undelivered(later)).map((answer) => answer.executionId)).not.toContain(silent);
  });

  test('The open gates, when they are listed, are the tenant’s that a person can still answer', async () => {
    const { gates } = subject.store;
    const tenant = randomUUID();
    const pipeline = await subject.store.pipelines.create(newPipeline({ tenant }));
    const { name: pipelineName, pipelineId } = pipeline;
    const of = { tenant, pipelineId, pipelineName };
    const before = await gates.countOpen();
    const waiting = await openGate(HOUR_MS, of);
    const second = await openGate(HOUR_MS, of);
    const answered = await openGate(HOUR_MS, of);
    await says(answered.executionId, 'approved');
    await openGate(0, of);
    expect(await gates.countOpen()).toBe(before + 2);
    const listed = await gates.listOpen(tenant, FIRST_PAGE);
    expect(listed.total).toBe(2);
    expect(listed.items).toMatchObject([
      {
        ...waiting,
        run: { pipelineId, pipelineName },
        report: { score: 0.5 },
        migration: null,
        approvers: ['role:approver'],
      },
      second,
    ]);
    expect(await gates.listOpen(tenant, { page: 1, size: 1 })).toMatchObject({ total: 2, items: [second] });
    expect((await gates.listOpen(randomUUID(), FIRST_PAGE)).items).toEqual([]);
  });

  test('The report, when the gate is open, stays what people judge by', async () => {
    const { quality } = subject.store;
    const { executionId } = await submittedRun(subject.store);
    await quality.save(executionId, 0.1, { attempt: 1 });
    await quality.save(executionId, 0.2, { attempt: 2, b: 1, a: 2 });
    expect(await quality.find(executionId)).toMatchObject({ score: 0.2, report: { attempt: 2 } });
    const opened = (await openGate()).executionId;
    await quality.save(opened, 1, {});
    expect((await quality.find(opened))?.score).toBe(0.5);
    expect(await quality.find('nobody')).toBeUndefined();
  });

  test('A gate, whatever is tried, has one answer in the table', async () => {
    const { executionId } = await openGate();
    await says(executionId, 'approved');
    const twice = subject.database.execute(sql`insert into gate_answers
      (execution_id, answer_id, kind, answered_by, answered_at) values (${executionId}, 'x', 'rejected', 'b', now())`);
    await expect(twice).rejects.toThrow();
  });
}
