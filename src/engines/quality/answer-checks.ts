import type { DuckDBValue } from '@duckdb/node-api';
import { EngineError } from '../../errors.ts';
import type { EngineContext } from '../dataset.ts';
import type { DuckDbSession } from '../duckdb/duckdb-engine.ts';
import { type CheckPlan, checkFault, sqlName } from './check-plan.ts';

/** The one row that a check's query answers, by the names of the check's own columns. */
export type Answer = Readonly<Record<string, unknown>>;

/** The checks of one source that share a scan of it. */
export interface SharedQuery {
  plans: readonly CheckPlan[];
  /** Answers one row; undefined when none of them asks anything. */
  sql: string | undefined;
  /** What a check calls an answer is this column of the row. */
  columns: ReadonlyMap<CheckPlan, Readonly<Record<string, string>>>;
}

/** Every aggregate is named by its place, since checks name theirs alike. */
export function sharedQueries(plans: readonly CheckPlan[]): SharedQuery[] {
  const bySource = Map.groupBy(
    plans.filter((plan) => plan.query.kind === 'shared'),
    (plan) => plan.check.source ?? '',
  );
  return Array.from(bySource, ([source, group]) => {
    const list: string[] = [];
    const columns = group.map((plan): [CheckPlan, Record<string, string>] => {
      const asked = plan.query.kind === 'shared' ? Object.entries(plan.query.aggregates) : [];
      return [plan, Object.fromEntries(asked.map(([name, sql]) => [name, `a${list.push(sql) - 1}`]))];
    });
    const sql = `SELECT ${list.map((aggregate, at) => `${aggregate} AS a${at}`).join(', ')} FROM ${sqlName(source)}`;
    return { plans: group, sql: list.length === 0 ? undefined : sql, columns: new Map(columns) };
  });
}

/** What the one row of a {@link SharedQuery} says of each of its checks. */
export function answersOf({ columns }: SharedQuery, row: Answer): [CheckPlan, Answer][] {
  return Array.from(columns, ([plan, names]) => {
    return [plan, Object.fromEntries(Object.entries(names).map(([name, column]) => [name, row[column]]))];
  });
}

/** Asks DuckDB for all checks: one scan for each source, one query for each check that needs its own. */
export async function answerChecks(
  session: DuckDbSession,
  plans: readonly CheckPlan[],
  context: EngineContext,
): Promise<Map<CheckPlan, Answer>> {
  const answers = new Map<CheckPlan, Answer>();
  for (const query of sharedQueries(plans)) {
    const parameters = Object.assign({}, ...query.plans.map((plan) => plan.parameters)) as Record<string, DuckDBValue>;
    const [row = {}] = query.sql === undefined ? [] : await session.rows(query.sql, parameters);
    for (const [plan, answer] of answersOf(query, row)) answers.set(plan, answer);
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
    throw checkFault(plan.index, blamedField(plan), error.message);
  }
}

/** The field of a check that its query is made from. */
export function blamedField({ check }: CheckPlan): string {
  return check.type === 'custom_sql' ? 'sql' : 'type';
}
