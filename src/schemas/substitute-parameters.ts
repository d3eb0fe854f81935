/**
 * Puts parameters into a definition (spec section 3, Parameters): once, after parsing, typed; what a value brings along
 * is never looked at again.
 */
import { MAX_DOCUMENT_BYTES } from './check-limits.ts';
import type { Fault } from './fault.ts';
import { fieldRule, type FieldRule } from './field-rules.ts';
import { isMapping } from './json.ts';
import { expectedNames } from './nearest-name.ts';
import { BUILT_IN_TYPES, type ParameterValue } from './parameters.ts';
import { placeholderNames, textPieces, type TextPiece } from './placeholders.ts';

export interface Substituted {
  /** The document with every `${name}` of its definition replaced, but in SQL, where they are bound values. */
  value: unknown;
  faults: Fault[];
  /** By path of a text: the parameters that were put into it. */
  usedAt: Map<string, string[]>;
}

type Values = Readonly<Record<string, ParameterValue>>;

/** @param raw a document within {@link checkLimits} */
export function substituteParameters(raw: unknown, values: Values): Substituted {
  const substitution: Substitution = { values, faults: [], usedAt: new Map(), charactersLeft: MAX_DOCUMENT_BYTES };
  const value =
    isMapping(raw) && Object.hasOwn(raw, 'definition')
      ? { ...raw, definition: substitute(raw['definition'], ['definition'], substitution) }
      : raw;
  return { value, faults: substitution.faults, usedAt: substitution.usedAt };
}

interface Substitution {
  values: Values;
  faults: Fault[];
  usedAt: Map<string, string[]>;
  /** How much longer the definition may become: many places times a long value would use up memory. */
  charactersLeft: number;
}

function substitute(value: unknown, path: readonly string[], to: Substitution): unknown {
  if (typeof value === 'string') return value.includes('${') ? substituteText(value, path, to) : value;
  if (Array.isArray(value)) return value.map((item, index) => substitute(item, [...path, String(index)], to));
  if (!isMapping(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, substitute(inner, [...path, key], to)]));
}

function substituteText(text: string, path: readonly string[], to: Substitution): unknown {
  const rule = fieldRule(path);
  const at = path.join('.');
  const pieces = textPieces(text);
  const fault = faultOfText(text, pieces, rule, to.values);
  if (fault !== undefined) {
    to.faults.push({ path: at, message: fault });
    return text;
  }
  if (rule.parameters === 'bind') return text;
  to.usedAt.set(
    at,
    placeholderNames(text).filter((name) => !isSecret(name)),
  );
  const texts = pieces.map((piece) => textOf(piece, to.values));
  to.charactersLeft -= texts.reduce((sum, { length }) => sum + length, 0);
  const problem =
    to.charactersLeft < 0
      ? 'expected a definition of at most 1 MiB once its parameters are in it'
      : faultOfSecrets(text, texts.join(''), rule);
  if (problem !== undefined) {
    to.faults.push({ path: at, message: problem });
    return text;
  }
  const [first] = pieces;
  const isWhole = pieces.length === 1 && first?.kind === 'placeholder' && !isSecret(first.name);
  return isWhole ? to.values[first.name]?.value : texts.join('');
}

function faultOfSecrets(text: string, result: string, rule: FieldRule): string | undefined {
  if (!rule.secrets || secretsOf(result).join() === placeholderNames(text).filter(isSecret).join()) return undefined;
  return 'expected secrets to be named by the document, not by a parameter or an escape';
}

function textOf(piece: TextPiece, values: Values): string {
  switch (piece.kind) {
    case 'text':
      return piece.text;
    case 'placeholder':
      return isSecret(piece.name) ? `\${${piece.name}}` : String(values[piece.name]?.value);
    case 'escape':
    case 'open':
      return '${';
  }
}

function faultOfText(text: string, pieces: readonly TextPiece[], rule: FieldRule, values: Values): string | undefined {
  const host = rule.parameters === 'host' ? /^[a-z]+:\/\/[^/?#]+/i.exec(text)?.[0] : '';
  if (host === undefined || host.includes('${'))
    return 'expected the host of the URL as it is; parameters only after it';
  for (const piece of pieces) {
    if (piece.kind === 'open' && rule.parameters !== 'bind') {
      return 'expected } after ${; the text ${ itself is written $${';
    }
    const fault = piece.kind === 'placeholder' ? faultOfName(piece.name, rule, values) : undefined;
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function faultOfName(name: string, rule: FieldRule, values: Values): string | undefined {
  if (isSecret(name)) {
    if (!rule.secrets) return `expected no secret here: \${${name}} is only for connection, headers and dbt profiles`;
    return /^secret:[A-Za-z0-9_]{1,128}$/.test(name)
      ? undefined
      : `expected \${secret:NAME} with letters, digits and _ in the name, got \${${name}}`;
  }
  if (rule.datasets === true && (name === 'output' || name.startsWith('input:'))) return undefined;
  if (rule.parameters === 'none') {
    return `expected no parameter here, got \${${name}}: what a pipeline reads and writes stands in its document`;
  }
  if (Object.hasOwn(values, name)) return undefined;
  if (Object.hasOwn(BUILT_IN_TYPES, name)) return `\${${name}} is only there when the run is given an interval`;
  return `\${${name}} is not a declared parameter; ${expectedNames(name, Object.keys(values))} (the text \${ itself is written $\${)`;
}

function isSecret(name: string): boolean {
  return name.startsWith('secret:');
}

/** What the activity will find as secrets in a text. */
function secretsOf(text: string): string[] {
  return Array.from(text.matchAll(/\$\{(secret:[A-Za-z0-9_]{1,128})\}/g), ([, name]) => name ?? '');
}
