/** What may stand in FROM with parentheses: functions that make rows out of their arguments alone. */
const TABLE_FUNCTIONS = new Set([
  'unnest',
  'range',
  'generate_series',
  'repeat',
  'repeat_row',
  'json_each',
  'json_tree',
  'pg_timezone_names',
]);

/** Functions that tell of the machine, the session or the statement around this one, write somewhere, or only wait. */
const REFUSED_FUNCTIONS = new Set([
  'current_setting',
  'current_query',
  'getvariable',
  'getenv',
  'json_serialize_plan',
  'json_execute_serialized_sql',
  'pg_get_viewdef',
  'pg_sleep',
  'sleep_ms',
  'write_log',
]);

const TABLE_KINDS = new Set(['BASE_TABLE', 'SUBQUERY', 'JOIN', 'TABLE_FUNCTION', 'EMPTY', 'EXPRESSION_LIST', 'PIVOT']);

type Tree = Readonly<Record<string, unknown>>;
/** Names that WITH has defined, in lower case, where the node stands. */
type Scope = ReadonlySet<string>;

/**
 * The tables that a parsed SELECT reads, or the first thing in it that a SELECT over inputs has no need of.
 *
 * A name that WITH defines hides a table only where the definition holds; wherever that is in doubt, the name counts as
 * a table, so that a system view cannot hide behind it.
 *
 * @param node a query node as DuckDB's `json_serialize_sql` writes it
 */
export function tablesOf(node: unknown): { tables: string[] } | { fault: string } {
  const tables = new Map<string, string>();
  const pending: [unknown, Scope][] = [[node, new Set()]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [value, scope] = next;
    if (Array.isArray(value)) {
      pending.push(...value.map((item): [unknown, Scope] => [item, scope]));
    } else if (isTree(value)) {
      const fault = faultOf(value);
      if (fault !== undefined) return { fault };
      if (value['type'] === 'BASE_TABLE') {
        const name = String(value['table_name']);
        if (!scope.has(name.toLowerCase()) && !tables.has(name.toLowerCase())) tables.set(name.toLowerCase(), name);
      }
      pending.push(...within(value, scope));
    }
  }
  return { tables: [...tables.values()] };
}

/** The parts of a node, each with the names that hold in it. */
function within(node: Tree, outer: Scope): [unknown, Scope][] {
  const parts: [unknown, Scope][] = [];
  const scope = new Set(outer);
  for (const [name, definition] of definitionsOf(node)) {
    // A definition sees those before it; itself only when it is recursive, see below.
    parts.push([definition, new Set(scope)]);
    scope.add(name);
  }
  const recursive = node['type'] === 'RECURSIVE_CTE_NODE' ? String(node['cte_name']).toLowerCase() : undefined;
  for (const [key, part] of Object.entries(node)) {
    if (key === 'cte_map') continue;
    // The first half of a recursion is what it starts from, and does not see it.
    parts.push([part, recursive !== undefined && key === 'right' ? new Set([...scope, recursive]) : scope]);
  }
  return parts;
}

function definitionsOf(node: Tree): [string, unknown][] {
  const map = isTree(node['cte_map']) ? node['cte_map']['map'] : undefined;
  if (!Array.isArray(map)) return [];
  return map.filter(isTree).map((entry) => [String(entry['key']).toLowerCase(), entry['value']]);
}

function faultOf(node: Tree): string | undefined {
  const from = node['from_table'];
  if (isTree(from) && !TABLE_KINDS.has(String(from['type']))) return faultOfTableKind(from);
  if (node['type'] === 'SHOW_REF') return faultOfTableKind(node);
  if (node['type'] === 'BASE_TABLE') return faultOfTable(node);
  if (node['type'] === 'TABLE_FUNCTION') return faultOfTableFunction(node);
  const name = node['class'] === 'FUNCTION' ? String(node['function_name']).toLowerCase() : '';
  return REFUSED_FUNCTIONS.has(name) ? `function ${name} is not available` : undefined;
}

function faultOfTableKind(node: Tree): string {
  return node['type'] === 'SHOW_REF'
    ? 'expected one SELECT; DESCRIBE, SHOW and SUMMARIZE are not taken'
    : `${String(node['type'])} is not taken in FROM`;
}

function faultOfTable(node: Tree): string | undefined {
  const name = String(node['table_name']);
  const qualifiers = [node['catalog_name'], node['schema_name']].filter((part) => typeof part === 'string');
  if (qualifiers.length > 0) {
    return `table ${[...qualifiers, name].join('.')}: expected the plain name of an input, without schema or catalog`;
  }
  if (/[/\\.:*?]/.test(name)) return `table "${name}": files cannot be read; expected the name of an input`;
  return undefined;
}

function faultOfTableFunction(node: Tree): string | undefined {
  const called = node['function'];
  const name = isTree(called) ? String(called['function_name']).toLowerCase() : '';
  return TABLE_FUNCTIONS.has(name)
    ? undefined
    : `table function ${name} is not available; in FROM there may be inputs and ${[...TABLE_FUNCTIONS].join(', ')}`;
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
