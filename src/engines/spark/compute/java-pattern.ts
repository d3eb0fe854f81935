/**
 * A pattern of a `regex` check (RE2 syntax, https://github.com/google/re2/wiki/Syntax) as Java's engine, which Spark has,
 * finds the same: what the two read alike is left as it is, the rest is said in words that Java does not read otherwise.
 */
import { EngineError } from '../../../errors.ts';

/** Whatever the case, so that `ſ` is no `s`. */
const WORD = '[0-9A-Za-z_]';
const EDGE = `(?-iu:(?<=${WORD})(?!${WORD})|(?<!${WORD})(?=${WORD}))`;
const NO_EDGE = `(?-iu:(?<=${WORD})(?=${WORD})|(?<!${WORD})(?!${WORD}))`;

/** Within brackets: RE2's classes are ASCII's. */
const POSIX: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7F',
  blank: '\\t ',
  cntrl: '\\x00-\\x1F\\x7F',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-/:-@\\[-`{-~',
  space: '\\t\\n\\x0B\\f\\r ',
  upper: 'A-Z',
  word: '\\w',
  xdigit: '0-9A-Fa-f',
};
const NOT_POSIX: Readonly<Record<string, string>> = {
  alnum: '\\P{Alnum}',
  alpha: '\\P{Alpha}',
  ascii: '\\P{ASCII}',
  blank: '\\P{Blank}',
  cntrl: '\\P{Cntrl}',
  digit: '\\D',
  graph: '\\P{Graph}',
  lower: '\\P{Lower}',
  print: '\\P{Print}',
  punct: '\\P{Punct}',
  space: '\\P{Space}',
  upper: '\\P{Upper}',
  word: '\\W',
  xdigit: '\\P{XDigit}',
};

interface Flags {
  multiline: boolean;
  dotAll: boolean;
}

/**
 * @param pattern one that RE2 takes
 * @throws EngineError `ValidationError` for the few that Java cannot say
 */
export function javaPattern(pattern: string): string {
  return new Translation(pattern).whole();
}

class Translation {
  readonly #pattern: string;
  #at = 0;
  #flags: Flags = { multiline: false, dotAll: false };
  /** Of the groups around. */
  readonly #outer: Flags[] = [];

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  whole(): string {
    let java = '';
    while (this.#at < this.#pattern.length) java += this.#next();
    return java;
  }

  #next(): string {
    const { multiline, dotAll } = this.#flags;
    const quoted = this.#take(/\\Q(.*?)(?:\\E|$)/sy);
    if (quoted !== undefined) return literally(quoted[1] ?? '');
    const group = this.#take(/\((?:\?P?<\w+>|\?([imsU]*)(?:-([imsU]+))?([:)]))?/y);
    if (group !== undefined) return this.#group(group);
    if (this.#take(/\)/y) !== undefined) {
      this.#flags = this.#outer.pop() ?? this.#flags;
      return ')';
    }
    if (this.#take(/\[/y) !== undefined) return this.#brackets();
    const repeated = this.#take(/\{\d+(?:,\d*)?\}/y);
    if (repeated !== undefined) return repeated[0];
    if (this.#take(/\^/y) !== undefined) return multiline ? '(?:\\A|(?<=\\n))' : '\\A';
    if (this.#take(/\$/y) !== undefined) return multiline ? '(?:\\z|(?=\\n))' : '\\z';
    if (this.#take(/\./y) !== undefined) return dotAll ? '(?s:.)' : '[^\\n]';
    const escape = this.#take(ESCAPE);
    if (escape !== undefined) return escaped(escape);
    const other = this.#take(/./suy)?.[0] ?? '';
    return '{}]'.includes(other) ? `\\${other}` : other;
  }

  /** Names are of no use to a check, and those with `_` are none of Java's. */
  #group([, on, off = '', end]: RegExpExecArray): string {
    if (end !== ')') this.#outer.push(this.#flags);
    if (end === undefined) return '(';
    if (`${on}${off}`.includes('U')) throw cannot('the flag U, which makes repetitions lazy');
    const flag = (name: string, before: boolean) => !off.includes(name) && (on?.includes(name) === true || before);
    this.#flags = { multiline: flag('m', this.#flags.multiline), dotAll: flag('s', this.#flags.dotAll) };
    const cases = off.includes('i') ? '-iu' : on?.includes('i') === true ? 'iu' : '';
    return end === ')' && cases === '' ? '' : `(?${cases}${end}`;
  }

  #brackets(): string {
    let java = this.#take(/\^/y) === undefined ? '[' : '[^';
    for (let first = true; ; first = false) {
      const end = this.#take(/\]/y);
      if (end !== undefined && !first) return `${java}]`;
      if (end !== undefined) java += '\\]';
      else java += this.#inBrackets();
    }
  }

  #inBrackets(): string {
    const set = this.#setInBrackets();
    // After a set it begins no range.
    if (set !== undefined) return this.#take(/-(?!\])/y) === undefined ? set : `${set}\\-`;
    const escape = this.#take(ESCAPE);
    if (escape !== undefined) return escaped(escape);
    const other = this.#take(/./suy)?.[0];
    if (other === undefined) throw cannot('brackets without an end');
    // Java has sets within sets, and their intersection.
    return '[&^'.includes(other) ? `\\${other}` : other;
  }

  #setInBrackets(): string | undefined {
    const posix = this.#take(/\[:(\^?)(\w+):\]/y);
    if (posix !== undefined) return (posix[1] === '^' ? NOT_POSIX : POSIX)[posix[2] ?? ''];
    const space = this.#take(/\\([sS])/y);
    // Java counts the vertical tab among them.
    if (space !== undefined) return space[1] === 's' ? '\\t\\n\\f\\r ' : '\\S\\x0B';
    if (/\\[pPdDwW]/y.exec(this.#pattern.slice(this.#at)) === null) return undefined;
    const escape = this.#take(ESCAPE);
    return escape && escaped(escape);
  }

  #take(what: RegExp): RegExpExecArray | undefined {
    what.lastIndex = this.#at;
    const found = what.exec(this.#pattern);
    if (found === null) return undefined;
    this.#at = what.lastIndex;
    return found;
  }
}

const ESCAPE = /\\(?:([pP])(?:\{(\^?)(\w+)\}|(\w))|(0[0-7]{0,2}|[1-7][0-7]{1,2})|(x\{[\dA-Fa-f]+\}|.))/suy;

function escaped([whole, sign, negated, name, letter, octal, other]: RegExpExecArray): string {
  if (sign !== undefined) return unicodeClass(sign, negated === '^', name ?? letter ?? '');
  if (octal !== undefined) return `\\x{${Number.parseInt(octal, 8).toString(16)}}`;
  switch (other) {
    case 'C':
      throw cannot('\\C, a byte');
    case 'b':
      return EDGE;
    case 'B':
      return NO_EDGE;
    case 's':
      return '[\\t\\n\\f\\r ]';
    case 'S':
      return '[^\\t\\n\\f\\r ]';
    case 'v':
      return '\\x0B';
    default:
      return whole;
  }
}

/** General categories have one or two letters, all else are scripts. */
function unicodeClass(sign: string, negated: boolean, name: string): string {
  if (name === 'Any') throw cannot('\\p{Any}');
  const kind = (sign === 'P') === negated ? 'p' : 'P';
  return `\\${kind}{${name.length <= 2 ? name : `Is${name}`}}`;
}

function literally(text: string): string {
  return text.replace(/[!-/:-@[-`{-~]/g, '\\$&');
}

function cannot(what: string): EngineError {
  return new EngineError('ValidationError', `compute: spark has no counterpart for ${what}`);
}
