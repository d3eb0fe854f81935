import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import * as z from 'zod';
import { messageOf } from '../../errors.ts';
import { CLOSED_IN } from './spare-instance.ts';
import { sqlPieces } from './sql-lexer.ts';
import { tablesOf } from './tables-of.ts';

const MAX_SQL_LENGTH = 100_000;
/** DuckDB's scanner takes time by the square of the depth: 20,000 took ten seconds. */
const MAX_COMMENT_DEPTH = 50;

/** What DuckDB's `json_serialize_sql` answers (DuckDB, "SQL to/from JSON"). */
const serialized = z.union([
  z.object({ error: z.literal(false), statements: z.array(z.object({ node: z.unknown() })) }),
  z.object({
    error: z.literal(true),
    error_type: z.string(),
    error_message: z.string(),
    position: z.coerce.number().optional(),
  }),
]);

/**
 * Reads SQL that must be exactly one SELECT over named tables, by DuckDB's own parser; nothing is run or looked up.
 *
 * The answer is the tables that it reads, without those that it defines itself (WITH), or the first fault in words.
 * Names in SQL do not tell case: compare them so.
 *
 * @param sql with placeholders already placed (`sql-parameters.ts`)
 */
export async function parseSelect(sql: string): Promise<{ tables: string[] } | { fault: string }> {
  const oversize = faultOfSize(sql);
  if (oversize !== undefined) return { fault: oversize };
  const answer = await serialize(sql);
  if ('fault' in answer) return answer;
  const [statement, second] = answer.statements;
  if (statement === undefined) return { fault: 'there is no statement in it; expected one SELECT' };
  if (second !== undefined) {
    return { fault: `expected exactly one SELECT, found ${answer.statements.length} statements` };
  }
  return tablesOf(statement.node);
}

function faultOfSize(sql: string): string | undefined {
  if (sql.length > MAX_SQL_LENGTH) return `${sql.length} characters of SQL; at most ${MAX_SQL_LENGTH} are taken`;
  for (const piece of sqlPieces(sql)) {
    if (piece.kind === 'comment' && piece.text.split('/*').length > MAX_COMMENT_DEPTH) {
      return 'comments within comments, too deep';
    }
  }
  return undefined;
}

async function serialize(sql: string): Promise<{ statements: { node: unknown }[] } | { fault: string }> {
  let json: string;
  try {
    const result = await (
      await parser()
    ).run('SELECT json_serialize_sql($sql::VARCHAR, skip_default := true, skip_null := true)::VARCHAR', { sql });
    json = z.tuple([z.tuple([z.string()])]).parse(await result.getRows())[0][0];
  } catch (error) {
    return { fault: messageOf(error).split('\n', 1)[0] ?? '' };
  }
  const tree = parseJson(json);
  if (tree === undefined) return { fault: 'a number in it is larger than a double can be' };
  const answer = serialized.parse(tree);
  if (!answer.error) return answer;
  if (answer.error_type === 'not implemented') {
    return {
      fault:
        'expected one SELECT; statements such as COPY, CREATE, SET, ATTACH or CALL are not taken (a PIVOT must name its values: IN (…))',
    };
  }
  const where = answer.position === undefined ? '' : `line ${sql.slice(0, answer.position).split('\n').length}: `;
  return { fault: `${where}${answer.error_message}` };
}

let parserConnection: Promise<DuckDBConnection> | undefined;

/** One instance for the process, with nothing in it: parsing leaves no trace. Made at the first use. */
function parser(): Promise<DuckDBConnection> {
  parserConnection ??= DuckDBInstance.create(':memory:', {
    ...CLOSED_IN,
    enable_external_access: 'false',
    threads: '1',
    memory_limit: '128MB',
  }).then((instance) => instance.connect());
  return parserConnection;
}

/** DuckDB writes an infinite number as JSON has none. */
function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
