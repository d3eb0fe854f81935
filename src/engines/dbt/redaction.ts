const HIDDEN = '***';
/** The lines of a key are secret each by itself; shorter ones are too likely to be ordinary text. */
const SECRET_LINE_LENGTH = 8;

/** Hides secrets in whatever another program says: as they are, as a URL, JSON, Python or SQL writes them, and each long line of one. */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const hidden = new Set(
    secrets.flatMap((secret) => [secret, ...secret.split(/\r?\n/).filter(isLong)]).flatMap(spellings),
  );
  hidden.delete('');
  const longestFirst = [...hidden].sort((a, b) => b.length - a.length);
  return (text) => longestFirst.reduce((redacted, secret) => redacted.replaceAll(secret, HIDDEN), text);
}

const isLong = ({ length }: string): boolean => length >= SECRET_LINE_LENGTH;

function spellings(secret: string): string[] {
  const url = encodeURIComponent(secret.toWellFormed());
  const json = JSON.stringify(secret).slice(1, -1);
  const python = inPython(secret);
  return [
    secret,
    ...[url, url.replace(/[!'()*]/g, percent)],
    ...[json, json.replace(/[^\0-\x7f]/g, inJson)],
    // Python escapes a single quote only in a text that holds both kinds, and never a double one.
    ...[python, python.replaceAll("'", String.raw`\'`)],
    secret.replaceAll("'", "''"),
  ];
}

const code = (character: string, digits: number): string => character.charCodeAt(0).toString(16).padStart(digits, '0');
const percent = (character: string): string => `%${code(character, 2).toUpperCase()}`;
const inJson = (character: string): string => `\\u${code(character, 4)}`;

function inPython(secret: string): string {
  const named: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
  return secret.replace(/[\\\0-\x1f\x7f]/g, (character) => named[character] ?? `\\x${code(character, 2)}`);
}
