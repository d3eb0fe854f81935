/**
 * The elements of a one-dimensional PostgreSQL array as it is written in text (PostgreSQL documentation, 8.15.6):
 * `{1,NULL,"a \"quoted\" text"}`, perhaps with its bounds before it. Undefined for an array of arrays.
 */
export function parsePostgresArray(text: string): (string | null)[] | undefined {
  const body = text.startsWith('[') ? text.slice(text.indexOf('=') + 1) : text;
  const elements: (string | null)[] = [];
  // The opening brace has been read, the closing one is not an element.
  let at = 1;
  while (at < body.length - 1) {
    if (body[at] === '{') return undefined;
    if (body[at] === '"') {
      const end = endOfQuoted(body, at);
      elements.push(body.slice(at + 1, end).replaceAll(/\\(.)/gs, '$1'));
      at = end + 2;
    } else {
      const comma = body.indexOf(',', at);
      const end = comma === -1 ? body.length - 1 : comma;
      const element = body.slice(at, end);
      elements.push(element === 'NULL' ? null : element);
      at = end + 1;
    }
  }
  return elements;
}

/** Index of the quote that ends the one at `start`. */
function endOfQuoted(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}
