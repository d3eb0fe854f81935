import { sqlPieces } from './sql-lexer.ts';

/**
 * A SELECT that `parseSelect` accepted, in parentheses: to be read FROM, or copied. Its semicolons go (it is one
 * statement, so they only end it), and a comment at its end ends with its line. Lines keep their numbers.
 */
export function asSubquery(sql: string): string {
  const statement = [...sqlPieces(sql)].map((piece) =>
    piece.kind === 'code' ? piece.text.replaceAll(';', ' ') : piece.text,
  );
  return `(${statement.join('')}\n)`;
}
