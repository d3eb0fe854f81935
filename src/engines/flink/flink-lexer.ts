/** Flink SQL cut as finely as needed to tell code from literals, quoted names and comments, with `${…}` and `$${` (spec section 3). */
export interface FlinkPiece {
  kind: 'code' | 'literal' | 'quoted identifier' | 'comment' | 'placeholder' | 'escape';
  text: string;
  /** Index of its first character. */
  start: number;
}

const PATTERNS: readonly (readonly [FlinkPiece['kind'], RegExp])[] = [
  ['comment', /--[^\n\r]*/y],
  // A hint (/*+ … */) is code in a comment's dress; nothing of the service's stands in either.
  ['comment', /\/\*[^]*?(?:\*\/|$)/y],
  ['literal', /'[^']*(?:''[^']*)*'?/y],
  ['quoted identifier', /`[^`]*(?:``[^`]*)*`?/y],
  ['quoted identifier', /"[^"]*(?:""[^"]*)*"?/y],
  ['escape', /\$\$\{/y],
  ['placeholder', /\$\{[^{}\n]*\}?/y],
  ['code', /;/y],
  ['code', /[^-/'`"$;]+/y],
  ['code', /[^]/y],
];

/** The whole text, piece after piece; each `;` between statements is one by itself. */
export function* flinkPieces(sql: string): Generator<FlinkPiece> {
  for (let start = 0; start < sql.length;) {
    for (const [kind, pattern] of PATTERNS) {
      pattern.lastIndex = start;
      const text = pattern.exec(sql)?.[0];
      if (text === undefined) continue;
      yield { kind, text, start };
      start += text.length;
      break;
    }
  }
}
