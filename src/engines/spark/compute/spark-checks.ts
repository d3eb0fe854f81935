/** Quality checks evaluated by Spark: the plans, the judgement and the report are those of `quality/`, the SQL is Spark's. */
import * as z from 'zod';
import { EngineError } from '../../../errors.ts';
import type { ParameterValue } from '../../../schemas/parameters.ts';
import type { Dataset, EngineContext } from '../../dataset.ts';
import { type Answer, answersOf, blamedField, sharedQueries } from '../../quality/answer-checks.ts';
import type { CheckDialect } from '../../quality/check-dialect.ts';
import { checkFault, type CheckPlan } from '../../quality/check-plan.ts';
import { type CheckAnswers, type CheckingEngine, MAX_EXAMPLES } from '../../quality/run-checks.ts';
import type { S3Access } from '../../s3/s3-access.ts';
import { inputFiles } from './input-files.ts';
import { javaPattern } from './java-pattern.ts';
import type { ComputeStep, ComputeWork, SparkCompute } from './spark-compute.ts';
import { sparkQuery } from './spark-sql.ts';

/** By DuckDB's name of it; the others are called alike. */
const SPARK_TYPE: Readonly<Record<string, string>> = {
  VARCHAR: 'STRING',
  HUGEINT: 'DECIMAL(38, 0)',
  TIMESTAMP: 'TIMESTAMP_NTZ',
  TIMESTAMP_S: 'TIMESTAMP_NTZ',
  TIMESTAMP_MS: 'TIMESTAMP_NTZ',
  'TIMESTAMP WITH TIME ZONE': 'TIMESTAMP_LTZ',
};

const SPARK_DIALECT: CheckDialect = {
  placeholder: (name) => `:${name}`,
  type: (type) => SPARK_TYPE[type] ?? type,
  pattern: javaPattern,
  matches: (text, placeholder) => `${text} RLIKE ${placeholder}`,
  newestMs: (largest) => `unix_millis(CAST(${largest} AS TIMESTAMP_LTZ))`,
  customQuery(sql, values, names) {
    const { query, parameters } = sparkQuery(sql, values, names);
    return Promise.resolve({ subquery: query, parameters, tables: [] });
  },
};

const row = z.record(z.string(), z.unknown());
const written = z.object({ answers: z.record(z.string(), row), examples: z.record(z.string(), z.array(row)) });

/** @param inputs all sources of the run, by name */
export function checksOnSpark(
  compute: SparkCompute,
  step: ComputeStep,
  { inputs, s3 }: { inputs: Readonly<Record<string, Dataset>>; s3: S3Access | undefined },
  context: EngineContext,
): CheckingEngine & { url: () => string | undefined } {
  let shown: string | undefined;
  return {
    dialect: SPARK_DIALECT,
    url: () => shown,
    async answer(plans) {
      const { folder, url } = await compute.run(step, () => checksWork(plans, inputs, s3), context);
      shown = url;
      const text = await folder.read('output/answers.json');
      if (text === undefined) throw new EngineError('JobFailedError', 'the Spark job ended well and left no answers');
      return answersFrom(plans, written.parse(JSON.parse(text)));
    },
  };
}

async function checksWork(
  plans: readonly CheckPlan[],
  inputs: Readonly<Record<string, Dataset>>,
  s3: S3Access | undefined,
): Promise<ComputeWork> {
  const queries: { id: string; sql: string; path: string }[] = [];
  const examples: { id: string; sql: string; path: string; after: string; counted: string }[] = [];
  const example = (plan: CheckPlan, after: string, counted: string | undefined): void => {
    const { failingRowsSql } = plan;
    if (failingRowsSql === undefined || counted === undefined) return;
    const sql = `${failingRowsSql} LIMIT ${MAX_EXAMPLES}`;
    examples.push({ id: String(plan.index), sql, path: pathOf(plan), after, counted });
  };
  for (const [at, { plans: together, sql, columns }] of sharedQueries(plans).entries()) {
    const id = `shared-${at}`;
    if (sql !== undefined) queries.push({ id, sql, path: 'definition.quality_checks.checks' });
    for (const plan of together) example(plan, id, columns.get(plan)?.['failing']);
  }
  for (const plan of plans) {
    if (plan.query.kind === 'shared') continue;
    const id = String(plan.index);
    queries.push({ id, sql: plan.query.sql, path: pathOf(plan) });
    example(plan, id, 'failing');
  }
  const parameters = Object.assign({}, ...plans.map((plan) => plan.parameters)) as Record<
    string,
    ParameterValue['value']
  >;
  return { program: 'answer_checks', inputs: await inputFiles(inputs, s3), parameters, queries, examples };
}

function pathOf(plan: CheckPlan): string {
  return checkFault(plan.index, blamedField(plan), '').message.replace(/: $/, '');
}

function answersFrom(plans: readonly CheckPlan[], { answers, examples }: z.output<typeof written>): CheckAnswers {
  const found = new Map<CheckPlan, Answer>();
  for (const [at, query] of sharedQueries(plans).entries()) {
    for (const [plan, answer] of answersOf(query, answers[`shared-${at}`] ?? {})) found.set(plan, answer);
  }
  for (const plan of plans) {
    if (plan.query.kind === 'own') found.set(plan, answers[String(plan.index)] ?? {});
  }
  return { answers: found, examples: new Map(plans.map((plan) => [plan, examples[String(plan.index)] ?? []])) };
}
