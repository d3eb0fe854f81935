/** A small sound document, and what becomes of it when one place is changed. */
export type Tree = Record<string, unknown>;

export function birds(): Tree {
  return {
    name: 'birds',
    version: '1.0.0',
    parameters: { month: { type: 'date', default: '2001-01-01' }, least: 3 },
    definition: {
      sources: {
        strikes: { type: 'file', path: 'data/birds.csv', format: 'csv' },
        states: { type: 'jdbc', connection: '${secret:DB}', table: 'states' },
      },
      quality_checks: {
        min_score: 0.9,
        checks: [
          { source: 'strikes', type: 'not_null', columns: ['day'] },
          { source: 'strikes', type: 'referential', column: 'state', references: 'states.code' },
          { type: 'custom_sql', sql: 'select * from strikes where day < ${month}' },
        ],
      },
      transformations: [
        { name: 'daily', engine: 'sql', sql: 'select day, count(*) as n from strikes group by all' },
        { name: 'top', engine: 'sql', depends_on: ['daily'], sql: 'select * from daily where n > ${least}' },
      ],
      sinks: {
        table: { type: 'iceberg', from: 'daily', table: 'wild.daily', partition_by: ['day(day)'] },
        file: { type: 'file', from: 'top', path: 'out/${month}.csv', format: 'csv' },
      },
    },
  };
}

/** @param path with dots; `undefined` takes the place away */
export function birdsWith(changes: Readonly<Record<string, unknown>>): Tree {
  const document = birds();
  for (const [path, value] of Object.entries(changes)) {
    const keys = path.split('.');
    const last = keys.pop() ?? '';
    let at = document;
    for (const key of keys) {
      at[key] ??= {};
      at = at[key] as Tree;
    }
    if (value === undefined) Reflect.deleteProperty(at, last);
    else at[last] = value;
  }
  return document;
}
