import type { Fault } from './fault.ts';

/** Valid JSON taken apart: strings and the characters of structure; what lies between is numbers and literals. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]/gs;

/**
 * A JSON text (RFC 8259), strictly: `JSON.parse` silently takes the last of several equal keys, this refuses them.
 * The faults name line and column.
 */
export function parseJson(text: string): { value: unknown } | { faults: Fault[] } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { faults: [{ path: '', message: `expected JSON: ${(error as SyntaxError).message}` }] };
  }
  const faults = duplicateKeys(text);
  return faults.length === 0 ? { value } : { faults };
}

interface Level {
  /** Of an object: its keys so far. */
  keys: Set<string> | undefined;
  /** Of an object: the key whose value is being read. Of a list: the index. */
  at: string | number;
}

const MAX_FAULTS = 20;

/** @param text which `JSON.parse` took, so its structure is sound */
function duplicateKeys(text: string): Fault[] {
  const faults: Fault[] = [];
  const levels: Level[] = [];
  let lastString: { text: string; index: number } | undefined;
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    const level = levels.at(-1);
    if (token === '{') levels.push({ keys: new Set(), at: '' });
    else if (token === '[') levels.push({ keys: undefined, at: 0 });
    else if (token === '}' || token === ']') levels.pop();
    else if (token === ',') {
      if (typeof level?.at === 'number') level.at += 1;
    } else if (token === ':') {
      if (level?.keys === undefined || lastString === undefined) continue;
      const key = JSON.parse(lastString.text) as string;
      level.at = key;
      if (level.keys.has(key)) {
        const path = levels.map(({ at }) => String(at)).join('.');
        faults.push({
          path,
          message: `${whereIs(text, lastString.index)}: the key stands here twice; expected it once`,
        });
        if (faults.length === MAX_FAULTS) return faults;
      }
      level.keys.add(key);
    } else lastString = { text: token, index };
  }
  return faults;
}

/** `line 3, column 14`, both counted from 1. */
export function whereIs(text: string, index: number): string {
  const before = text.slice(0, index).split('\n');
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}
