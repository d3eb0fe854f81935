/** Checks that compare rows with other rows: each is a query of its own. */
import type { QualityCheck } from '../../schemas/definition.ts';
import { type CheckPlan, type CheckScope, type Column, countRows, sqlName } from './check-plan.ts';

type Check<Type extends QualityCheck['type']> = Extract<QualityCheck, { type: Type }>;
type PlanParts = Pick<CheckPlan, 'expected' | 'query' | 'judge' | 'failingRowsSql'>;

/** A key with a NULL in it is no key and repeats nothing. Every row that shares its key fails. */
export function planUnique(scope: CheckScope, check: Check<'unique'>): PlanParts {
  const columns = check.columns.map((name, at) => scope.column(check.source, name, `columns.${at}`).name);
  const source = sqlName(check.source);
  const key = columns.map(sqlName).join(', ');
  const keyed = columns.map((column) => `${sqlName(column)} IS NOT NULL`).join(' AND ');
  const repeated = `FROM ${source} WHERE ${keyed} GROUP BY ${key} HAVING count(*) > 1`;
  return {
    expected: { duplicateKeys: 0 },
    query: {
      kind: 'own',
      sql: `SELECT count(*) AS keys, coalesce(sum(times), 0)::BIGINT AS failing FROM (SELECT count(*) AS times ${repeated})`,
    },
    judge: (answer) => {
      const failingRows = Number(answer['failing']);
      return {
        passed: failingRows === 0,
        observed: { duplicateKeys: Number(answer['keys']) },
        failingRows,
        message: `${countRows(failingRows)} share ${columns.join(', ')} with another`,
      };
    },
    failingRowsSql: `SELECT * FROM ${source} SEMI JOIN (SELECT ${key} ${repeated} LIMIT 5) USING (${key}) ORDER BY ${key}`,
  };
}

export function planReferential(scope: CheckScope, check: Check<'referential'>): PlanParts {
  const column = scope.column(check.source, check.column, 'column');
  const dot = check.references.indexOf('.');
  const target = check.references.slice(0, dot);
  scope.columnsOf(target, 'references');
  const referenced = scope.column(target, check.references.slice(dot + 1), 'references');
  const typeless = column.kind === 'none' || referenced.kind === 'none';
  if (!typeless && family(column) !== family(referenced)) {
    throw scope.fault(
      'references',
      `${column.name} is ${column.type} and ${check.references} is ${referenced.type}; they cannot be compared`,
    );
  }
  // Without a value on one side nothing is compared, but the two still need one type.
  const comparable = (sql: string) => (typeless ? `CAST(${sql} AS ${scope.dialect.type('VARCHAR')})` : sql);
  const value = comparable(`s.${sqlName(column.name)}`);
  const orphans = `FROM ${sqlName(check.source)} s ANTI JOIN (SELECT DISTINCT ${comparable(sqlName(referenced.name))} AS target FROM ${sqlName(target)}) r ON ${value} = r.target WHERE ${value} IS NOT NULL`;
  return {
    expected: { references: check.references },
    query: { kind: 'own', sql: `SELECT count(*) AS failing, count(DISTINCT ${value}) AS missing ${orphans}` },
    judge: (answer) => {
      const failingRows = Number(answer['failing']);
      return {
        passed: failingRows === 0,
        observed: { missingValues: Number(answer['missing']) },
        failingRows,
        message: `${countRows(failingRows)} with a ${column.name} that ${check.references} does not have`,
      };
    },
    failingRowsSql: `SELECT s.* ${orphans}`,
  };
}

/** Numbers of every type compare with each other, everything else with its own type only. */
function family(column: Column): string {
  switch (column.kind) {
    case 'integer':
    case 'float':
    case 'decimal':
      return 'number';
    case 'text':
    case 'instant':
      return column.type === 'UUID' ? column.type : column.kind;
    case 'time':
    case 'boolean':
    case 'none':
    case 'other':
      return column.type;
  }
}
