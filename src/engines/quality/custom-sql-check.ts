import type { ParameterType, ParameterValue } from '../../schemas/parameters.ts';
import type { QualityCheck } from '../../schemas/definition.ts';
import { asSubquery } from '../duckdb/as-subquery.ts';
import { parseSelect } from '../duckdb/parse-select.ts';
import { parameterBindings, placeParameters } from '../duckdb/sql-parameters.ts';
import { type CheckPlan, type CheckScope, countRows } from './check-plan.ts';

type CustomSqlCheck = Extract<QualityCheck, { type: 'custom_sql' }>;
type PlanParts = Pick<CheckPlan, 'expected' | 'query' | 'judge' | 'failingRowsSql' | 'parameters'>;

/** One SELECT over the inputs that answers the rows that fail. Whatever else the SQL is, it is refused unread. */
export async function planCustomSql(
  scope: CheckScope,
  check: CustomSqlCheck,
  parameters: Readonly<Record<string, ParameterValue>>,
): Promise<PlanParts> {
  const types: Record<string, ParameterType> = {};
  for (const [name, { type }] of Object.entries(parameters)) types[name] = type;
  const placed = placeParameters(check.sql, types);
  if ('fault' in placed) throw scope.fault('sql', placed.fault);
  const parsed = await parseSelect(placed.sql);
  if ('fault' in parsed) throw scope.fault('sql', parsed.fault);
  for (const table of parsed.tables) scope.requireTable(table, 'sql');
  if (check.source !== undefined) scope.columnsOf(check.source, 'source');
  const failing = asSubquery(placed.sql);
  return {
    expected: { rows: 0 },
    query: { kind: 'own', sql: `SELECT count(*) AS failing FROM ${failing}` },
    parameters: parameterBindings(placed.names, parameters),
    judge: (answer) => {
      const failingRows = Number(answer['failing']);
      return {
        passed: failingRows === 0,
        observed: { rows: failingRows },
        failingRows,
        message: `the query answers ${countRows(failingRows)}`,
      };
    },
    failingRowsSql: `SELECT * FROM ${failing}`,
  };
}
