import type { DuckDBValue } from '@duckdb/node-api';
import { EngineError } from '../../errors.ts';
import type { EngineContext } from '../dataset.ts';
import type { DuckDbSession } from '../duckdb/duckdb-engine.ts';
import { type CheckPlan, checkFault, sqlName } from './check-plan.ts';

/** The one row that a check's query answers, by the names of the check's own columns. */
export type Answer = Readonly<Record<string, unknown>>;

/** Asks DuckDB for all checks: one scan for each source, one query for each check that needs its own. */
export async function answerChecks(
  session: DuckDbSession,
  plans: readonly CheckPlan[],
  context: EngineContext,
): Promise<Map<CheckPlan, Answer>> {
  const answers = new Map<CheckPlan, Answer>();
  const shared = Map.groupBy(
    plans.filter((plan) => plan.query.kind === 'shared'),
    (plan) => plan.check.source ?? '',
  );
  for (const [source, group] of shared) {
    await answerShared(session, source, group, answers);
    context.progress(answers.size / plans.length);
  }
  for (const plan of plans) {
    if (plan.query.kind === 'shared') continue;
    const [row = {}] = await rowsOfCheck(session, plan, plan.query.sql);
    answers.set(plan, row);
    context.progress(answers.size / plans.length);
  }
  return answers;
}

/** Rows of a check's own query; what DuckDB says against it names the check. */
export async function rowsOfCheck(session: DuckDbSession, plan: CheckPlan, sql: string): Promise<Answer[]> {
  try {
    return await session.rows(sql, plan.parameters);
  } catch (error) {
    if (!(error instanceof EngineError) || error.type !== 'ValidationError') throw error;
    throw checkFault(plan.index, plan.check.type === 'custom_sql' ? 'sql' : 'type', error.message);
  }
}

/** The one scan of a source. Every aggregate is named by its place, since checks name theirs alike. */
async function answerShared(
  session: DuckDbSession,
  source: string,
  plans: readonly CheckPlan[],
  answers: Map<CheckPlan, Answer>,
): Promise<void> {
  const wanted = plans.flatMap((plan) =>
    plan.query.kind === 'shared'
      ? Object.entries(plan.query.aggregates).map(([name, sql]) => ({ plan, name, sql }))
      : [],
  );
  for (const plan of plans) answers.set(plan, {});
  if (wanted.length === 0) return;
  const list = wanted.map(({ sql }, at) => `${sql} AS a${at}`);
  const parameters = Object.assign({}, ...plans.map((plan) => plan.parameters)) as Record<string, DuckDBValue>;
  const [row = {}] = await session.rows(`SELECT ${list.join(', ')} FROM ${sqlName(source)}`, parameters);
  for (const [at, { plan, name }] of wanted.entries()) {
    answers.set(plan, { ...answers.get(plan), [name]: row[`a${at}`] });
  }
}
