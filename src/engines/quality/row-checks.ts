/** Checks that judge each row alone: all of them of one source share one scan. */
import type { QualityCheck } from '../../schemas/definition.ts';
import { type CheckPlan, type CheckScope, countRows, sqlName, type Verdict } from './check-plan.ts';
import { comparand } from './comparison.ts';
import { toJsonValue } from './json-value.ts';
import type { JsonValue } from './quality-report.ts';

type Check<Type extends QualityCheck['type']> = Extract<QualityCheck, { type: Type }>;
type PlanParts = Pick<CheckPlan, 'expected' | 'query' | 'judge' | 'failingRowsSql'>;

export function planNotNull(scope: CheckScope, check: Check<'not_null'>): PlanParts {
  const columns = check.columns.map((name, at) => scope.column(check.source, name, `columns.${at}`).name);
  const nulls = columns.map((column, at): [string, string] => [`nulls_${at}`, `count_if(${sqlName(column)} IS NULL)`]);
  return rowPlan(check.source, columns.map((column) => `${sqlName(column)} IS NULL`).join(' OR '), {
    expected: { nulls: 0 },
    // With one column the failing rows are its NULLs.
    aggregates: columns.length > 1 ? Object.fromEntries(nulls) : {},
    observed: (answer, failingRows) => ({
      nulls: Object.fromEntries(
        columns.map((column, at) => [column, columns.length > 1 ? Number(answer[`nulls_${at}`]) : failingRows]),
      ),
    }),
    describe: (failing) => `${failing} without a value in ${columns.join(' or ')}`,
  });
}

export function planRange(scope: CheckScope, check: Check<'range'>): PlanParts {
  const column = scope.column(check.source, check.column, 'column');
  const { min, max } = check;
  if (min === undefined && max === undefined) throw scope.fault('min', 'expected min, max or both');
  if (column.kind === 'boolean') throw scope.fault('column', `${column.name} is BOOLEAN, which has no range`);
  const name = sqlName(column.name);
  const outside = [
    ...(min === undefined ? [] : [`${name} < ${comparand(scope, column, min, 'min')}`]),
    ...(max === undefined ? [] : [`${name} > ${comparand(scope, column, max, 'max')}`]),
  ];
  const expected = { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) };
  return rowPlan(check.source, outside.join(' OR '), {
    expected,
    aggregates: { lowest: `min(${name})`, highest: `max(${name})` },
    observed: (answer) => ({ min: toJsonValue(answer['lowest']), max: toJsonValue(answer['highest']) }),
    describe: (failing) => `${failing} with ${column.name} outside ${min ?? '-∞'} to ${max ?? '∞'}`,
  });
}

/** The pattern (RE2) may match anywhere in the text; anchors make it match the whole. */
export function planRegex(scope: CheckScope, check: Check<'regex'>): PlanParts {
  const column = scope.column(check.source, check.column, 'column');
  if (column.kind !== 'text' && column.kind !== 'none') {
    throw scope.fault('column', `${column.name} is ${column.type}; expected a text column`);
  }
  const text =
    column.type === 'VARCHAR' || column.kind === 'none'
      ? sqlName(column.name)
      : `CAST(${sqlName(column.name)} AS ${scope.dialect.type('VARCHAR')})`;
  const re2 = scope.bind(check.pattern);
  const message = `${check.pattern} is no regular expression (RE2 syntax)`;
  scope.probes.push({ sql: `regexp_matches('', $${re2}) IS NULL`, parameter: re2, field: 'pattern', message });
  const asked = scope.dialect.pattern(check.pattern);
  const bound = asked === check.pattern ? re2 : scope.bind(asked);
  const matches = scope.dialect.matches(text, scope.dialect.placeholder(bound), check.pattern);
  return rowPlan(check.source, `NOT ${matches}`, {
    expected: { pattern: check.pattern },
    aggregates: {},
    observed: (_, failingRows) => ({ notMatching: failingRows }),
    describe: (failing) => `${failing} with ${column.name} not matching ${check.pattern}`,
  });
}

export function planAcceptedValues(scope: CheckScope, check: Check<'accepted_values'>): PlanParts {
  const column = scope.column(check.source, check.column, 'column');
  const accepted = check.values.map((value, at) => comparand(scope, column, value, `values.${at}`));
  const name =
    column.kind === 'text' ? `CAST(${sqlName(column.name)} AS ${scope.dialect.type('VARCHAR')})` : sqlName(column.name);
  return rowPlan(check.source, `${name} NOT IN (${accepted.join(', ')})`, {
    expected: { values: check.values },
    aggregates: {},
    observed: (_, failingRows) => ({ notAccepted: failingRows }),
    describe: (failing) => `${failing} with a value of ${column.name} that is not accepted`,
  });
}

interface RowPlan {
  expected: JsonValue;
  aggregates: Record<string, string>;
  observed: (answer: Readonly<Record<string, unknown>>, failingRows: number) => JsonValue;
  describe: (failing: string) => string;
}

/** A NULL makes the condition NULL, which is not counted: NULL passes. */
function rowPlan(source: string, failing: string, plan: RowPlan): PlanParts {
  return {
    expected: plan.expected,
    query: { kind: 'shared', aggregates: { ...plan.aggregates, failing: `count_if(${failing})` } },
    judge: (answer): Verdict => {
      const failingRows = Number(answer['failing']);
      return {
        passed: failingRows === 0,
        observed: plan.observed(answer, failingRows),
        failingRows,
        message: plan.describe(countRows(failingRows)),
      };
    },
    failingRowsSql: `SELECT * FROM ${sqlName(source)} WHERE ${failing}`,
  };
}
