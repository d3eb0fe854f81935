/**
 * Which pipelines a change of a table may concern (spec section 2, SchemaMigrationWorkflow). Tables are known: documents name
 * them. Columns are known where a document or its SQL names them; where nobody can tell (`select *`, rows that go from
 * source to sink as they are, engines whose code is elsewhere), a column counts as one that may be used.
 */
import { isMapping, type JsonObject } from '../../schemas/json.ts';
import type { MigrationTarget } from '../../schemas/migration.ts';
import { qualifiedTable } from '../../schemas/migration-targets.ts';
import { sqlPieces } from '../duckdb/sql-lexer.ts';

export interface ImpactedPipeline {
  pipelineId: string;
  name: string;
  how: 'reads' | 'writes';
  /** Its source or sink. */
  step: string;
  /** Of the columns that change: those that it names. */
  columns: string[];
  /** And those that it may use, for all that its definition says. */
  mayUse: string[];
}

export interface RegisteredPipeline {
  pipelineId: string;
  name: string;
  /** As it was sent. */
  document: JsonObject;
}

/** @param touched columns that are dropped, renamed, retyped or made required, by their names before that */
export function impactOn(
  { pipelineId, name, document }: RegisteredPipeline,
  target: MigrationTarget,
  touched: readonly string[],
): ImpactedPipeline[] {
  const definition = mappingIn(document['definition']);
  const sources = entriesOf(definition['sources']).filter(([, source]) => concerns(source, target));
  const sinks = entriesOf(definition['sinks']).filter(([, sink]) => concerns(sink, target));
  const of = (how: ImpactedPipeline['how'], step: string, { named, open }: Mention): ImpactedPipeline => {
    const columns = touched.filter((column) => named.has(column.toLowerCase()));
    const mayUse = open ? touched.filter((column) => !columns.includes(column)) : [];
    return { pipelineId, name, how, step, columns, mayUse };
  };
  return [
    ...sources.map(([step, source]) => of('reads', `extract:${step}`, readsOf(step, source, definition))),
    ...sinks.map(([step, sink]) => of('writes', `load:${step}`, writesOf(sink, definition))),
  ];
}

/** What a definition says of the columns of one table. */
interface Mention {
  /** In lower case. */
  named: Set<string>;
  /** It may use others, too. */
  open: boolean;
}

function concerns(part: JsonObject, target: MigrationTarget): boolean {
  const { type, table, connection, query } = part;
  if (target.type === 'iceberg') return type === 'iceberg' && table === target.table;
  if ((type !== 'jdbc' && type !== 'postgres') || connection !== target.connection) return false;
  if (typeof table === 'string') return qualifiedTable({ type: 'postgres', table }) === qualifiedTable(target);
  // Its query is PostgreSQL's to read; a table that it reads stands in it by its name.
  return (
    typeof query === 'string' && wordsOf(query).has(target.table.slice(target.table.lastIndexOf('.') + 1).toLowerCase())
  );
}

function readsOf(name: string, source: JsonObject, definition: JsonObject): Mention {
  const named = new Set<string>();
  let open = false;
  const mention = (text: unknown): void => {
    if (typeof text === 'string') named.add(text.toLowerCase());
  };
  mention(source['watermark_column']);
  mention(source['partition_column']);
  mention(mappingIn(definition['partitioning'])['column']);
  const sql = (text: unknown): void => {
    if (typeof text !== 'string') return;
    for (const word of wordsOf(text)) named.add(word);
    open ||= hasStar(text);
  };
  if (source['query'] !== undefined) sql(source['query']);
  for (const check of listIn(mappingIn(definition['quality_checks'])['checks'])) {
    if (check['type'] === 'custom_sql') sql(check['sql']);
    else if (check['source'] === name) for (const column of columnsOfCheck(check)) mention(column);
  }
  for (const transformation of listIn(definition['transformations'])) {
    if (transformation['engine'] === 'sql') sql(transformation['sql']);
    else open = true;
  }
  open ||= entriesOf(definition['sinks']).some(([, sink]) => sink['from'] === name);
  return { named, open };
}

function writesOf(sink: JsonObject, definition: JsonObject): Mention {
  const named = new Set<string>();
  for (const key of textsIn(sink['merge_keys'])) named.add(key.toLowerCase());
  for (const field of textsIn(sink['partition_by'])) for (const word of wordsOf(field)) named.add(word);
  const made = listIn(definition['transformations']).find(({ name }) => name === sink['from']);
  const sql = made?.['engine'] === 'sql' ? made['sql'] : undefined;
  if (typeof sql !== 'string') return { named, open: true };
  for (const word of wordsOf(sql)) named.add(word);
  return { named, open: hasStar(sql) };
}

function columnsOfCheck(check: JsonObject): string[] {
  const { column, columns } = check;
  if (typeof column === 'string') return [column];
  return isMapping(columns) ? Object.keys(columns) : textsIn(columns);
}

/** Words and quoted identifiers of SQL, in lower case: every column that it names is among them. */
function wordsOf(sql: string): Set<string> {
  const words = new Set<string>();
  for (const { kind, text } of sqlPieces(sql)) {
    if (kind === 'word') words.add(text.toLowerCase());
    if (kind === 'quoted identifier') words.add(text.slice(1, -1).replaceAll('""', '"').toLowerCase());
  }
  return words;
}

/** `select *`, `t.*`, but also any product: that only makes the answer more careful. `count(*)` reads no column. */
function hasStar(sql: string): boolean {
  const code = [...sqlPieces(sql)].filter(({ kind }) => kind === 'code' || kind === 'word').map(({ text }) => text);
  return code
    .join('')
    .replaceAll(/\(\s*\*\s*\)/g, '')
    .includes('*');
}

function mappingIn(value: unknown): JsonObject {
  return isMapping(value) ? (value as JsonObject) : {};
}

function entriesOf(value: unknown): [string, JsonObject][] {
  return Object.entries(mappingIn(value)).map(([name, part]) => [name, mappingIn(part)]);
}

function listIn(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.map(mappingIn) : [];
}

function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}
