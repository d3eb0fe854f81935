/** A text taken apart at its `${name}`s; `$${` is the text `${` (spec section 3, Parameters). */
export type TextPiece =
  | { kind: 'text'; text: string }
  /** `${name}`: what stands between the braces, be it a name or not. */
  | { kind: 'placeholder'; name: string }
  /** `$${` */
  | { kind: 'escape' }
  /** A `${` that nothing closes. */
  | { kind: 'open' };

const MARK = /\$\$\{|\$\{(?:([^{}]*)\})?/g;

export function textPieces(text: string): TextPiece[] {
  const pieces: TextPiece[] = [];
  let end = 0;
  for (const match of text.matchAll(MARK)) {
    if (match.index > end) pieces.push({ kind: 'text', text: text.slice(end, match.index) });
    end = match.index + match[0].length;
    if (match[0] === '$${') pieces.push({ kind: 'escape' });
    else if (match[1] === undefined) pieces.push({ kind: 'open' });
    else pieces.push({ kind: 'placeholder', name: match[1] });
  }
  if (end < text.length) pieces.push({ kind: 'text', text: text.slice(end) });
  return pieces;
}

/** The names between `${` and `}`, in order, each as often as it stands there. */
export function placeholderNames(text: string): string[] {
  return textPieces(text).flatMap((piece) => (piece.kind === 'placeholder' ? [piece.name] : []));
}
