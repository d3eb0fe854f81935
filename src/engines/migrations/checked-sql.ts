import { quoteIdentifier } from '../duckdb/quote.ts';
import { sqlPieces } from '../duckdb/sql-lexer.ts';

/**
 * SQL of a check in which the table has the name of its target (`analytics.delays`), made SQL over an input that has only
 * the last part of it for a name. Literals and comments stay as they are.
 */
export function checkedSql(sql: string, table: string): string {
  const parts = table.split('.');
  const last = quoteIdentifier(parts.at(-1) ?? table);
  const pieces = [...sqlPieces(sql)];
  let written = '';
  for (let at = 0; at < pieces.length; at += 1) {
    const piece = pieces[at];
    if (piece === undefined) break;
    const end = !written.trimEnd().endsWith('.') ? endOfName(pieces, at, parts) : undefined;
    written += end === undefined ? piece.text : last;
    at = end ?? at;
  }
  return written;
}

type Piece = ReturnType<typeof sqlPieces> extends Generator<infer One> ? One : never;

/** The index of the last piece of `a.b.c`, if it begins here. */
function endOfName(pieces: readonly Piece[], start: number, parts: readonly string[]): number | undefined {
  let at = start;
  for (const [index, part] of parts.entries()) {
    if (index > 0) {
      if (pieces[at]?.text.trim() !== '.') return undefined;
      at += 1;
    }
    if (identifierIn(pieces[at]) !== part.toLowerCase()) return undefined;
    at += 1;
  }
  return at - 1;
}

/** DuckDB finds tables whatever the case of their names, also of quoted ones. */
function identifierIn(piece: Piece | undefined): string | undefined {
  if (piece?.kind === 'word') return piece.text.toLowerCase();
  if (piece?.kind !== 'quoted identifier') return undefined;
  return piece.text.slice(1, -1).replaceAll('""', '"').toLowerCase();
}
