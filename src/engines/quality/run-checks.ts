import type { DuckDBValue } from '@duckdb/node-api';
import { EngineError } from '../../errors.ts';
import type { QualityCheck } from '../../schemas/definition.ts';
import type { ParameterValue } from '../../schemas/parameters.ts';
import type { Dataset, EngineContext } from '../dataset.ts';
import type { DuckDbEngine, DuckDbSession } from '../duckdb/duckdb-engine.ts';
import { withoutValuelessTypes } from '../duckdb/valueless-columns.ts';
import { type Answer, answerChecks, rowsOfCheck } from './answer-checks.ts';
import { type CheckDialect, DUCKDB_DIALECT } from './check-dialect.ts';
import { type CheckPlan, checkFault, type InputColumns, sqlName, type Verdict } from './check-plan.ts';
import { toJsonRow } from './json-value.ts';
import { planCheck, type ReadyCheck } from './plan-check.ts';
import { type CheckResult, composeReport, type QualityReport } from './quality-report.ts';

export interface ChecksRequest {
  /** In the order of the document: faults and results name their place in it. */
  checks: readonly QualityCheck[];
  minScore: number;
  /** All sources of the run, by name. */
  inputs: Readonly<Record<string, Dataset>>;
  /** Of the run, for `custom_sql`. */
  parameters: Readonly<Record<string, ParameterValue>>;
}

/** Where the checks are evaluated, if not in DuckDB here. */
export interface CheckingEngine {
  dialect: CheckDialect;
  /** Answers every check, and whole rows for those that found some that fail: {@link MAX_EXAMPLES} at most. */
  answer: (plans: readonly CheckPlan[]) => Promise<CheckAnswers>;
}

export interface CheckAnswers {
  answers: ReadonlyMap<CheckPlan, Answer>;
  examples: ReadonlyMap<CheckPlan, readonly Answer[]>;
}

export const MAX_EXAMPLES = 5;

/**
 * Evaluates all quality checks (spec section 3): those that judge rows or the table share one scan of their source, the
 * others are a query each, and only a failed check is asked for examples.
 *
 * @throws EngineError `ValidationError` that names the check (`definition.quality_checks.checks.2.column: …`) for a
 *   missing column, a value that cannot be compared, SQL that is no single SELECT
 */
export async function runChecks(
  engine: DuckDbEngine,
  { checks, minScore, inputs, parameters }: ChecksRequest,
  context: EngineContext,
): Promise<QualityReport> {
  const now = new Date();
  if (checks.length === 0) return composeReport([], minScore, now);
  const request = { checks, inputs, parameters, now };
  const results = await engine.withSession({ signal: context.signal, inputs }, async (session) => {
    const plans = await planChecks(session, request, DUCKDB_DIALECT);
    const answers = await answerChecks(session, plans, context);
    const found: CheckResult[] = [];
    for (const plan of plans) {
      const verdict = plan.judge(answers.get(plan) ?? {});
      found.push(resultOf(plan, verdict, verdict.passed ? [] : await examplesOf(session, plan)));
    }
    return found;
  });
  return reportOf(results, { minScore, now }, context);
}

/**
 * The same report from another engine, which reads the data; DuckDB looks at the columns of the inputs, and at the values
 * in the checks.
 *
 * @throws EngineError as {@link runChecks}, and what the other engine throws
 */
export async function runChecksElsewhere(
  duckdb: DuckDbEngine,
  { checks, minScore, inputs, parameters }: ChecksRequest,
  { dialect, answer }: CheckingEngine,
  context: EngineContext,
): Promise<QualityReport> {
  const now = new Date();
  if (checks.length === 0) return composeReport([], minScore, now);
  const request = { checks, inputs, parameters, now };
  const plans = await duckdb.withSession({ signal: context.signal, inputs, footersOnly: true }, (session) =>
    planChecks(session, request, dialect),
  );
  const { answers, examples } = await answer(plans);
  const results = plans.map((plan) => {
    const verdict = plan.judge(answers.get(plan) ?? {});
    return resultOf(plan, verdict, verdict.passed ? [] : (examples.get(plan) ?? []));
  });
  return reportOf(results, { minScore, now }, context);
}

async function planChecks(
  session: DuckDbSession,
  { checks, inputs, parameters, now }: Omit<ChecksRequest, 'minScore'> & { now: Date },
  dialect: CheckDialect,
): Promise<CheckPlan[]> {
  const columns = await describeInputs(session, inputs);
  const plans: CheckPlan[] = [];
  for (const [index, check] of checks.entries()) {
    const plan = await planCheck(check, index, { inputs: columns, parameters, now, dialect });
    await refuseWrongValues(session, plan);
    plans.push(plan);
  }
  return plans;
}

function reportOf(
  results: CheckResult[],
  { minScore, now }: { minScore: number; now: Date },
  context: EngineContext,
): QualityReport {
  const failed = results.filter((result) => result.outcome === 'FAILED');
  context.log('info', `${results.length - failed.length} of ${results.length} checks passed`);
  for (const { index, type, message } of failed) context.log('warn', `check ${index} (${type}) failed: ${message}`);
  return composeReport(results, minScore, now);
}

async function describeInputs(session: DuckDbSession, inputs: ChecksRequest['inputs']): Promise<InputColumns> {
  const columns = new Map<string, { name: string; type: string }[]>();
  for (const name of Object.keys(inputs)) {
    const rows = await session.rows(`DESCRIBE SELECT * FROM ${sqlName(name)}`);
    const described = rows.map((row) => ({ name: String(row['column_name']), type: String(row['column_type']) }));
    columns.set(name, await withoutValuelessTypes(session, name, described));
  }
  return columns;
}

/** One query for all values of a check; each probe by itself only when that one fails altogether. */
async function refuseWrongValues(session: DuckDbSession, { index, probes, parameters }: ReadyCheck): Promise<void> {
  if (probes.length === 0) return;
  // The other engine's values may be among the check's, and DuckDB takes none that it is not asked about.
  const asked = probes.flatMap(({ parameter }) => {
    const value = parameters[parameter];
    return value === undefined ? [] : [[parameter, value]];
  });
  const wrong = await probe(
    session,
    probes.map(({ sql }) => sql),
    Object.fromEntries(asked) as Record<string, DuckDBValue>,
  );
  for (const [at, { field, message }] of probes.entries()) {
    if (wrong === undefined || wrong[at] === true) throw checkFault(index, field, message);
  }
}

/** Which of the questions are answered with true; undefined when DuckDB cannot even ask (a pattern that is none). */
async function probe(
  session: DuckDbSession,
  questions: readonly string[],
  parameters: Record<string, DuckDBValue>,
): Promise<unknown[] | undefined> {
  try {
    const [row = {}] = await session.rows(
      `SELECT ${questions.map((sql, at) => `${sql} AS probe_${at}`).join(', ')}`,
      parameters,
    );
    return Object.values(row);
  } catch (error) {
    if (error instanceof EngineError && error.type === 'ValidationError') return undefined;
    throw error;
  }
}

async function examplesOf(session: DuckDbSession, plan: CheckPlan): Promise<Answer[]> {
  const { failingRowsSql } = plan;
  return failingRowsSql === undefined ? [] : rowsOfCheck(session, plan, `${failingRowsSql} LIMIT ${MAX_EXAMPLES}`);
}

function resultOf({ index, check, expected }: CheckPlan, verdict: Verdict, examples: readonly Answer[]): CheckResult {
  const { passed, observed, failingRows, message } = verdict;
  return {
    index,
    type: check.type,
    ...(check.source !== undefined && { source: check.source }),
    ...columnsOf(check),
    severity: check.severity,
    weight: check.weight,
    outcome: passed ? 'PASSED' : 'FAILED',
    observed,
    expected,
    failingRows,
    examples: examples.map(toJsonRow),
    message: passed ? 'as expected' : message,
  };
}

function columnsOf(check: QualityCheck): Pick<CheckResult, 'columns'> {
  if ('column' in check) return { columns: [check.column] };
  if (!('columns' in check)) return {};
  return { columns: Array.isArray(check.columns) ? check.columns : Object.keys(check.columns) };
}
