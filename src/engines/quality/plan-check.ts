import type { QualityCheck } from '../../schemas/definition.ts';
import type { ParameterValue } from '../../schemas/parameters.ts';
import type { CheckDialect } from './check-dialect.ts';
import { type CheckPlan, CheckScope, type InputColumns, type Probe } from './check-plan.ts';
import { planCustomSql } from './custom-sql-check.ts';
import { planAcceptedValues, planNotNull, planRange, planRegex } from './row-checks.ts';
import { planReferential, planUnique } from './set-checks.ts';
import { planFreshness, planRowCount, planSchema } from './table-checks.ts';

export interface PlanContext {
  inputs: InputColumns;
  parameters: Readonly<Record<string, ParameterValue>>;
  now: Date;
  dialect: CheckDialect;
}

export interface ReadyCheck extends CheckPlan {
  probes: Probe[];
}

type PlanParts = Omit<CheckPlan, 'index' | 'check' | 'parameters'> & Partial<Pick<CheckPlan, 'parameters'>>;

/**
 * Makes a check ready.
 *
 * @throws EngineError `ValidationError` that names the place in the document: a missing source or column, a value that
 *   the column cannot be compared with
 */
export async function planCheck(check: QualityCheck, index: number, context: PlanContext): Promise<ReadyCheck> {
  const scope = new CheckScope(index, context.inputs, context.dialect);
  const parts = await planParts(scope, check, context);
  return { parameters: scope.parameters, ...parts, index, check, probes: scope.probes };
}

function planParts(scope: CheckScope, check: QualityCheck, context: PlanContext): PlanParts | Promise<PlanParts> {
  switch (check.type) {
    case 'not_null':
      return planNotNull(scope, check);
    case 'range':
      return planRange(scope, check);
    case 'regex':
      return planRegex(scope, check);
    case 'accepted_values':
      return planAcceptedValues(scope, check);
    case 'row_count':
      return planRowCount(scope, check);
    case 'freshness':
      return planFreshness(scope, check, context.now);
    case 'schema':
      return planSchema(scope, check);
    case 'unique':
      return planUnique(scope, check);
    case 'referential':
      return planReferential(scope, check);
    case 'custom_sql':
      return planCustomSql(scope, check, context.parameters);
  }
}
