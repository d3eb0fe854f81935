import { EngineError } from '../../errors.ts';
import type { ParameterValue } from '../../schemas/parameters.ts';
import type { QualityCheck } from '../../schemas/definition.ts';
import type { CustomQuery } from './check-dialect.ts';
import { type CheckPlan, type CheckScope, countRows } from './check-plan.ts';

type CustomSqlCheck = Extract<QualityCheck, { type: 'custom_sql' }>;
type PlanParts = Pick<CheckPlan, 'expected' | 'query' | 'judge' | 'failingRowsSql' | 'parameters'>;

/** One SELECT over the inputs that answers the rows that fail. Whatever else the SQL is, it is refused unread. */
export async function planCustomSql(
  scope: CheckScope,
  check: CustomSqlCheck,
  values: Readonly<Record<string, ParameterValue>>,
): Promise<PlanParts> {
  const { subquery, parameters, tables } = await queryOf(scope, check, values);
  for (const table of tables) scope.requireTable(table, 'sql');
  if (check.source !== undefined) scope.columnsOf(check.source, 'source');
  return {
    expected: { rows: 0 },
    query: { kind: 'own', sql: `SELECT count(*) AS failing FROM ${subquery}` },
    parameters,
    judge: (answer) => {
      const failingRows = Number(answer['failing']);
      return {
        passed: failingRows === 0,
        observed: { rows: failingRows },
        failingRows,
        message: `the query answers ${countRows(failingRows)}`,
      };
    },
    failingRowsSql: `SELECT * FROM ${subquery}`,
  };
}

async function queryOf(
  scope: CheckScope,
  check: CustomSqlCheck,
  values: Readonly<Record<string, ParameterValue>>,
): Promise<CustomQuery> {
  try {
    return await scope.dialect.customQuery(check.sql, values, `check_${scope.index}_sql`);
  } catch (error) {
    if (!(error instanceof EngineError) || error.type !== 'ValidationError') throw error;
    throw scope.fault('sql', error.message);
  }
}
