/** A migration's document looked at whole before anything is stored: every fault, each with its path. */
import { parseSelect } from '../engines/duckdb/parse-select.ts';
import { placeParameters } from '../engines/duckdb/sql-parameters.ts';
import { checkedSql } from '../engines/migrations/checked-sql.ts';
import { isPostgresUrl } from '../engines/postgres/connection-url.ts';
import { checkLimits } from '../schemas/check-limits.ts';
import type { Fault } from '../schemas/fault.ts';
import { isMapping, type JsonObject } from '../schemas/json.ts';
import { type MigrationDocument, migrationDocument, type MigrationTarget } from '../schemas/migration.ts';
import { plainTable, qualifiedTable } from '../schemas/migration-targets.ts';
import { placeholderNames } from '../schemas/placeholders.ts';
import { checkSchema, firstOfEachPath } from '../schemas/schema-faults.ts';

const MAX_FAULTS = 100;
const SECRET = /^secret:[A-Za-z0-9_]{1,128}$/;

/** Never throws for what is in the document. What depends on the tables as they are is said by their engines. */
export async function validateMigration(
  raw: unknown,
): Promise<{ document: MigrationDocument; stored: JsonObject } | { faults: Fault[] }> {
  const oversize = checkLimits(raw);
  if (oversize.length > 0) return { faults: oversize };
  const checked = checkSchema(migrationDocument, raw);
  const faults = [...secretsAt(raw, []), ...('faults' in checked ? checked.faults : [])];
  if (!('faults' in checked)) {
    faults.push(...twinsOf(checked.value));
    for (const [position, target] of checked.value.targets.entries()) {
      faults.push(...connectionFaults(target, position), ...(await checkFaults(target, position)));
    }
  }
  if (faults.length > 0 || 'faults' in checked) return { faults: atMost(MAX_FAULTS, firstOfEachPath(faults)) };
  // With its defaults: activities read it from the store as it is.
  return { document: checked.value, stored: JSON.parse(JSON.stringify(checked.value)) as JsonObject };
}

/** A secret anywhere but in a connection would be stored, or end in a table. */
function secretsAt(value: unknown, path: readonly (string | number)[]): Fault[] {
  if (Array.isArray(value)) return value.flatMap((one, at) => secretsAt(one, [...path, at]));
  if (isMapping(value)) return Object.entries(value).flatMap(([key, one]) => secretsAt(one, [...path, key]));
  if (typeof value !== 'string' || !value.includes('${secret:')) return [];
  const isConnection = path.length === 3 && path[0] === 'targets' && path[2] === 'connection';
  return isConnection ? [] : [{ path: path.join('.'), message: 'a secret can only stand in connection' }];
}

function twinsOf({ targets }: MigrationDocument): Fault[] {
  const tables = targets.map((target) =>
    JSON.stringify([target.type, target.type === 'postgres' ? target.connection : '', qualifiedTable(target)]),
  );
  return tables.flatMap((table, position) => {
    const first = tables.indexOf(table);
    if (first === position) return [];
    const message = `expected each table once, it is targets.${first} already; put all its changes there`;
    return [{ path: `targets.${position}.table`, message }];
  });
}

/** The fault does not repeat what stands there: it may hold a password. */
function connectionFaults(target: MigrationTarget, position: number): Fault[] {
  if (target.type !== 'postgres') return [];
  const path = `targets.${position}.connection`;
  const unknown = placeholderNames(target.connection).some((name) => !SECRET.test(name));
  if (unknown) return [{ path, message: 'expected no other placeholders than ${secret:NAME}' }];
  const open = target.connection.startsWith('${secret:');
  return open || isPostgresUrl(target.connection)
    ? []
    : [{ path, message: 'expected postgres://user:password@host:port/database, or ${secret:NAME}' }];
}

async function checkFaults(target: MigrationTarget, position: number): Promise<Fault[]> {
  const faults: Fault[] = [];
  const names = new Set([target.table, qualifiedTable(target), plainTable(target)]);
  for (const [index, check] of target.checks.entries()) {
    const path = `targets.${position}.checks.${index}`;
    if (check.source !== undefined && !names.has(check.source)) {
      faults.push({ path: `${path}.source`, message: `expected ${target.table}, or nothing` });
    }
    if (check.type !== 'custom_sql') continue;
    const message = await faultOfSql(check.sql, target);
    if (message !== undefined) faults.push({ path: `${path}.sql`, message });
  }
  return faults;
}

async function faultOfSql(sql: string, target: MigrationTarget): Promise<string | undefined> {
  const placed = placeParameters(checkedSql(sql, target.table), {});
  if ('fault' in placed) return placed.fault;
  const parsed = await parseSelect(placed.sql);
  if ('fault' in parsed) return parsed.fault;
  const other = parsed.tables.find((table) => table.toLowerCase() !== plainTable(target).toLowerCase());
  return other === undefined ? undefined : `expected only ${target.table} as a table, got ${other}`;
}

function atMost(count: number, faults: readonly Fault[]): Fault[] {
  if (faults.length <= count) return [...faults];
  return [...faults.slice(0, count), { path: '', message: `… and ${faults.length - count} more faults` }];
}
