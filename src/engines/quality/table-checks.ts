/** Checks that judge a table as a whole: no single row of it fails. */
import type { QualityCheck } from '../../schemas/definition.ts';
import { durationMs, formatDuration } from '../../schemas/duration.ts';
import { type CheckPlan, type CheckScope, countRows, sqlName } from './check-plan.ts';
import { canonicalType, sameType } from './column-type.ts';

type Check<Type extends QualityCheck['type']> = Extract<QualityCheck, { type: Type }>;
type PlanParts = Pick<CheckPlan, 'expected' | 'query' | 'judge'>;

export function planRowCount(scope: CheckScope, check: Check<'row_count'>): PlanParts {
  scope.columnsOf(check.source, 'source');
  const { min, max } = check;
  if (min === undefined && max === undefined) throw scope.fault('min', 'expected min, max or both');
  return {
    expected: { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) },
    query: { kind: 'shared', aggregates: { rows: 'count(*)' } },
    judge: (answer) => {
      const rows = Number(answer['rows']);
      return {
        passed: rows >= (min ?? 0) && rows <= (max ?? Infinity),
        observed: { rows },
        failingRows: 0,
        message: `${countRows(rows)}; expected ${min ?? 0} to ${max ?? '∞'}`,
      };
    },
  };
}

/** NULL passes (spec section 3), so a table without any value does. A date or timestamp without zone counts as UTC. */
export function planFreshness(scope: CheckScope, check: Check<'freshness'>, now: Date): PlanParts {
  const column = scope.column(check.source, check.column, 'column');
  if (column.kind !== 'instant' && column.kind !== 'none') {
    throw scope.fault('column', `${column.name} is ${column.type}; expected a date or a timestamp`);
  }
  const maxAgeMs = durationMs(check.max_age);
  const latest = column.kind === 'none' ? 'NULL' : `max(${sqlName(column.name)})`;
  return {
    expected: { maxAge: check.max_age },
    query: { kind: 'shared', aggregates: { newest: scope.dialect.newestMs(latest, column.type) } },
    judge: (answer) => {
      const newestMs = answer['newest'] == null ? undefined : Number(answer['newest']);
      const ageMs = newestMs === undefined ? undefined : now.getTime() - newestMs;
      return {
        passed: ageMs === undefined || ageMs <= maxAgeMs,
        observed: { newest: newestMs === undefined ? null : new Date(newestMs).toISOString() },
        failingRows: 0,
        message:
          ageMs === undefined
            ? `${column.name} has no value`
            : `the newest ${column.name} is ${formatDuration(ageMs)} old; expected ${check.max_age} at most`,
      };
    },
  };
}

/** Columns that the check does not name may have any type. */
export function planSchema(scope: CheckScope, check: Check<'schema'>): PlanParts {
  const found = Object.entries(check.columns).map(([name, type]) => {
    if (canonicalType(type) === undefined) {
      throw scope.fault(
        `columns.${name}`,
        `${type} is no type; expected int, bigint, double, decimal(p,s), string, boolean, date, timestamp, timestamptz, uuid, binary, or type[]`,
      );
    }
    return { ...scope.column(check.source, name, `columns.${name}`), expected: type };
  });
  const wrong = found.filter((column) => !sameType(column.type, column.expected));
  const list = wrong.map((column) => `${column.name} is ${column.type}, expected ${column.expected}`);
  return {
    expected: { columns: check.columns },
    query: { kind: 'shared', aggregates: {} },
    judge: () => ({
      passed: wrong.length === 0,
      observed: {
        columns: Object.fromEntries(found.map(({ name, type, kind }) => [name, kind === 'none' ? 'NULL' : type])),
      },
      failingRows: 0,
      message: list.join('; '),
    }),
  };
}
