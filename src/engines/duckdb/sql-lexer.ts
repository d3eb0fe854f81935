/**
 * SQL cut where DuckDB's scanner cuts it (PostgreSQL's, "Lexical Structure"), as finely as needed to tell code from
 * literals, quoted identifiers and comments; and with `${name}` (parameter) and `${` (escape) of spec section 3.
 */
export interface SqlPiece {
  kind: 'code' | 'word' | 'literal' | 'quoted identifier' | 'comment' | 'parameter' | 'escape';
  text: string;
  /** Index of its first character. */
  start: number;
}

const WORD_CHARACTER = 'A-Za-z0-9_\\u0080-\\uffff';
const LINE_COMMENT = /--[^\n\r]*/y;
const COMMENT_EDGE = /\/\*|\*\//g;
const ESCAPE_STRING = /[eE]'[^'\\]*(?:(?:\\[^]|'')[^'\\]*)*'?/y;
const STRING = /'[^']*(?:''[^']*)*'?/y;
const QUOTED_IDENTIFIER = /"[^"]*(?:""[^"]*)*"?/y;
const ESCAPE = /\$\$\{/y;
const PARAMETER = /\$\{[^{}\n]*\}?/y;
const DOLLAR_QUOTE = new RegExp(`\\$(?:[A-Za-z_\\u0080-\\uffff][${WORD_CHARACTER}]*)?\\$(?!\\$*\\{)`, 'y');
/** A word may hold `$` but not start with it; numbers count as words here. */
const WORD = new RegExp(`[${WORD_CHARACTER}][${WORD_CHARACTER}$]*`, 'y');
/** Everything in which nothing of the above can start. */
const PLAIN = new RegExp(`[^${WORD_CHARACTER}'"$/-]+`, 'y');

/** The whole text, piece after piece. `$${` never opens a dollar quote. */
export function* sqlPieces(sql: string): Generator<SqlPiece> {
  let start = 0;
  while (start < sql.length) {
    const [kind, end] = pieceAt(sql, start);
    yield { kind, text: sql.slice(start, end), start };
    start = end;
  }
}

function pieceAt(sql: string, start: number): [SqlPiece['kind'], number] {
  const match = (pattern: RegExp): number | undefined => {
    pattern.lastIndex = start;
    return pattern.test(sql) ? pattern.lastIndex : undefined;
  };
  let end: number | undefined;
  if ((end = match(LINE_COMMENT)) !== undefined) return ['comment', end];
  if (sql.startsWith('/*', start)) return ['comment', endOfBlockComment(sql, start)];
  if ((end = match(ESCAPE_STRING) ?? match(STRING)) !== undefined) return ['literal', end];
  if ((end = match(QUOTED_IDENTIFIER)) !== undefined) return ['quoted identifier', end];
  if ((end = match(ESCAPE)) !== undefined) return ['escape', end];
  if ((end = match(PARAMETER)) !== undefined) return ['parameter', end];
  if ((end = match(DOLLAR_QUOTE)) !== undefined) return ['literal', endOfDollarQuote(sql, start, end)];
  if ((end = match(WORD)) !== undefined) return ['word', end];
  return ['code', match(PLAIN) ?? start + 1];
}

/** Block comments nest. */
function endOfBlockComment(sql: string, start: number): number {
  COMMENT_EDGE.lastIndex = start;
  let depth = 0;
  for (let edge = COMMENT_EDGE.exec(sql); edge !== null; edge = COMMENT_EDGE.exec(sql)) {
    depth += edge[0] === '/*' ? 1 : -1;
    if (depth === 0) return COMMENT_EDGE.lastIndex;
  }
  return sql.length;
}

function endOfDollarQuote(sql: string, start: number, openingEnd: number): number {
  const quote = sql.slice(start, openingEnd);
  const closing = sql.indexOf(quote, openingEnd);
  return closing === -1 ? sql.length : closing + quote.length;
}
