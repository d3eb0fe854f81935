/** Faults of a document's SQL: where its parameters stand, whether it is one SELECT, which tables it reads. */
import { parseSelect } from '../engines/duckdb/parse-select.ts';
import { placeParameters } from '../engines/duckdb/sql-parameters.ts';
import type { DocumentParts } from '../schemas/document-parts.ts';
import type { Fault } from '../schemas/fault.ts';
import type { ParameterType, ParameterValue } from '../schemas/parameters.ts';

interface Sql {
  path: string;
  sql: string;
  /** Names of the tables that it may read; undefined for SQL of another database. */
  inputs: readonly string[] | undefined;
  /** Names that are no inputs but could be made ones by `depends_on`. */
  others: readonly string[];
}

/** @param skip paths that have a fault already */
export async function checkSql(
  parts: DocumentParts,
  parameters: Readonly<Record<string, ParameterValue>>,
  skip: ReadonlySet<string>,
): Promise<Fault[]> {
  const types = Object.fromEntries(Object.entries(parameters).map(([name, { type }]) => [name, type]));
  // Only Spark can read Spark's SQL: there it is looked at when it runs.
  const embedded = parts.orchestration?.compute !== 'spark';
  const faults: Fault[] = [];
  for (const sql of sqlsOf(parts)) {
    if (skip.has(sql.path)) continue;
    const message = await faultOf(embedded ? sql : { ...sql, inputs: undefined }, types);
    if (message !== undefined) faults.push({ path: sql.path, message });
  }
  return faults;
}

function sqlsOf({ sources, checks, transformations }: DocumentParts): Sql[] {
  const sourceNames = [...sources.keys()];
  const transformationNames = transformations.flatMap(({ name }) => name ?? []);
  return [
    ...Array.from(sources).flatMap(([name, source]) =>
      source?.type === 'jdbc' && source.query !== undefined
        ? [{ path: `definition.sources.${name}.query`, sql: source.query, inputs: undefined, others: [] }]
        : [],
    ),
    ...checks.flatMap(({ whole }, index) =>
      whole?.type === 'custom_sql'
        ? [{ path: `definition.quality_checks.checks.${index}.sql`, sql: whole.sql, inputs: sourceNames, others: [] }]
        : [],
    ),
    ...transformations.flatMap(({ whole, name, dependsOn }, index) =>
      whole?.engine === 'sql'
        ? [
            {
              path: `definition.transformations.${index}.sql`,
              sql: whole.sql,
              inputs: [...sourceNames, ...dependsOn],
              others: transformationNames.filter((other) => other !== name),
            },
          ]
        : [],
    ),
  ];
}

async function faultOf(
  { sql, inputs, others }: Sql,
  types: Readonly<Record<string, ParameterType>>,
): Promise<string | undefined> {
  const placed = placeParameters(sql, types);
  if ('fault' in placed) return placed.fault;
  if (inputs === undefined) return undefined;
  const parsed = await parseSelect(placed.sql);
  if ('fault' in parsed) return parsed.fault;
  const known = lowerCased(inputs);
  const unknown = parsed.tables.filter((table) => !known.has(table.toLowerCase()));
  if (unknown.length === 0) return undefined;
  const dependable = lowerCased(others);
  const missing = unknown.filter((table) => dependable.has(table.toLowerCase()));
  const hint = missing.length === 0 ? '' : `; to read ${missing.join(', ')}, name it in depends_on`;
  return `expected only inputs as tables, got ${unknown.join(', ')}; inputs are ${inputs.join(', ')}${hint}`;
}

function lowerCased(names: readonly string[]): Set<string> {
  return new Set(names.map((name) => name.toLowerCase()));
}
