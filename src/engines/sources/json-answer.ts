/** An API's answer as JSON, and what stands where in it. */
import { LosslessNumber, parse, stringify } from 'lossless-json';
import { EngineError, messageOf } from '../../errors.ts';

/** A whole number of more digits than JavaScript's numbers keep, where a value begins, or one that may be beyond them. */
const WIDE_NUMBER = /(?:^|[:[,]\s*)-?(?:\d{16}|[\d.]+[eE]\+?\d{3})/;
const SAFE_NUMBER = /^-?\d{1,15}$|[.eE]/;
/** The same where fractions are decimals, too. */
const LONG_NUMBER = /(?:^|[:[,]\s*)-?(?:\d[\d.]{15}|[\d.]+[eE])/;
const SHORT_NUMBER = /^-?(?=[\d.]{1,16}$)\d+(?:\.\d+)?$/;

export interface ParsedAnswer {
  value: unknown;
  /** A part of it as JSON, in one line. */
  textOf: (part: object) => string;
}

/**
 * @param decimals whether numbers with a fraction keep every digit, too
 * @throws EngineError `ValidationError` for what is no JSON; it never repeats the text
 */
export function parseAnswer(body: Buffer, contentType: string | undefined, decimals = false): ParsedAnswer {
  if (body.byteLength === 0) return { value: null, textOf: JSON.stringify };
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    // Reading and writing every number by hand takes several times as long, so only where digits would be lost.
    if (!(decimals ? LONG_NUMBER : WIDE_NUMBER).test(text)) {
      return { value: JSON.parse(text) as unknown, textOf: notTooDeep(JSON.stringify) };
    }
    const kept = decimals ? SHORT_NUMBER : SAFE_NUMBER;
    const value = parse(text, null, (digits) => {
      if (kept.test(digits) && Number.isFinite(Number(digits))) return Number(digits);
      // DuckDB makes a decimal of a JSON number by way of a double, and of a text exactly.
      return decimals ? digits : new LosslessNumber(digits);
    });
    return { value, textOf: notTooDeep((part) => stringify(part) ?? '') };
  } catch (error) {
    if (error instanceof RangeError) throw tooDeep();
    const isText = error instanceof SyntaxError || messageOf(error).includes('JSON');
    const mediaType = /^[\w.+-]{1,60}\/[\w.+-]{1,60}/.exec(contentType ?? '')?.[0];
    const kind = mediaType === undefined ? '' : ` (its type is ${mediaType})`;
    const problem = isText ? 'is no JSON' : 'is no UTF-8 text';
    throw new EngineError('ValidationError', `the answer ${problem}${kind}; expected JSON`);
  }
}

function notTooDeep(textOf: ParsedAnswer['textOf']): ParsedAnswer['textOf'] {
  return (part) => {
    try {
      return textOf(part);
    } catch (error) {
      throw error instanceof RangeError ? tooDeep() : error;
    }
  };
}

function tooDeep(): EngineError {
  return new EngineError('ValidationError', 'the answer has records that are nested too deeply');
}

/**
 * What stands at a path such as `data.items`. A key that holds dots itself (`@odata.nextLink`) is found where it stands
 * last.
 *
 * @returns undefined when there is nothing
 */
export function valueAt(value: unknown, path: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Object.hasOwn(value, path)) return (value as Record<string, unknown>)[path];
  const dot = path.indexOf('.');
  if (dot === -1) return undefined;
  const key = path.slice(0, dot);
  return Object.hasOwn(value, key) ? valueAt((value as Record<string, unknown>)[key], path.slice(dot + 1)) : undefined;
}

/** @throws EngineError `ValidationError` when there is no array of objects at the path */
export function recordsOf(answer: unknown, path: string | undefined): object[] {
  const records = path === undefined ? answer : valueAt(answer, path);
  // An answer without content, and a list that an API calls null, have no records.
  if (records === null) return [];
  if (!Array.isArray(records)) {
    const place = path === undefined ? 'the answer' : `records_path: what is at ${path}`;
    const hint = path === undefined ? `; set records_path${keysOf(answer)}` : keysOf(answer);
    throw new EngineError('ValidationError', `${place} is ${kindOf(records)}; expected an array of objects${hint}`);
  }
  const odd = records.findIndex((record) => kindOf(record) !== 'an object');
  if (odd === -1) return records as object[];
  throw new EngineError('ValidationError', `record ${odd} of a page is ${kindOf(records[odd])}; expected an object`);
}

function keysOf(answer: unknown): string {
  if (kindOf(answer) !== 'an object') return '';
  const keys = Object.keys(answer as object).slice(0, 20);
  return ` (the answer has ${keys.map((key) => key.slice(0, 60)).join(', ')})`;
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (value instanceof LosslessNumber) return 'a number';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
