/**
 * zod's issues in the words of this service: the path with dots, what was expected there and what was got. Unions come
 * down to the member that was probably meant; each unknown key is a fault of its own.
 */
import * as z from 'zod';
import type { Fault } from './fault.ts';
import { isMapping } from './json.ts';
import { expectedNames } from './nearest-name.ts';

type Issue = z.core.$ZodIssue;
type RawIssue = z.core.$ZodRawIssue;

/** A value as its schema gives it, or every fault of it. */
export function checkSchema<S extends z.ZodType>(
  schema: S,
  value: unknown,
): { value: z.output<S> } | { faults: Fault[] } {
  const allowedKeys = new Map<readonly string[], string[]>();
  const parsed = parseSafely(schema, value, (issue) => {
    if (issue.code === 'unrecognized_keys') allowedKeys.set(issue.keys, keysOf(issue));
    return expectation(issue);
  });
  if (parsed === undefined) return { faults: [{ path: '', message: 'expected other types of values' }] };
  if (parsed.success) return { value: parsed.data };
  const faults = parsed.error.issues.flatMap((issue) => faultsOf(issue, value, [], allowedKeys));
  return { faults: firstOfEachPath(faults) };
}

/**
 * zod's `safeParse`, safe also where it throws: its checks of lengths look at mappings that have a key `length`, and
 * trip over what stands there. Undefined then; no sound document comes near it.
 */
export function parseSafely<S extends z.ZodType>(schema: S, value: unknown, error?: (issue: RawIssue) => string) {
  try {
    return schema.safeParse(value, error && { error });
  } catch {
    return undefined;
  }
}

/** What is wrong with a value's type makes the other faults of the same value meaningless. */
export function firstOfEachPath(faults: readonly Fault[]): Fault[] {
  const byPath = new Map<string, Fault>();
  for (const fault of faults) if (!byPath.has(fault.path)) byPath.set(fault.path, fault);
  return [...byPath.values()];
}

/** What the schema that raised the issue allows as keys. */
function keysOf({ inst }: RawIssue): string[] {
  if (inst instanceof z.ZodObject) return Object.keys(inst.shape);
  if (inst instanceof z.ZodRecord && inst.keyType instanceof z.ZodEnum) return inst.keyType.options.map(String);
  return [];
}

/** What was expected, where the schema does not say it itself. */
function expectation(issue: RawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${nameOfType(issue.expected)}`;
    case 'invalid_value':
      return typeof issue.input === 'string'
        ? expectedNames(issue.input, issue.values.map(String))
        : `expected ${issue.values.length === 1 ? '' : 'one of '}${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return `expected ${issue.inclusive === false ? 'more than' : 'at least'} ${amount(issue.minimum, issue.origin)}`;
    case 'too_big':
      return `expected ${issue.inclusive === false ? 'less than' : 'at most'} ${amount(issue.maximum, issue.origin)}`;
    case 'invalid_format':
      return `expected ${FORMATS[issue.format] ?? `text of the format ${issue.format}`}`;
    case 'not_multiple_of':
      return `expected a multiple of ${issue.divisor}`;
    default:
      return 'expected something else';
  }
}

const FORMATS: Readonly<Record<string, string>> = {
  email: 'an e-mail address',
  url: 'an http:// or https:// URL',
  datetime: 'an instant with an offset, such as 2026-02-12T06:00:00Z',
};

function amount(count: number | bigint, origin: string): string {
  if (origin === 'string') return `${count} ${count === 1 ? 'character' : 'characters'}`;
  if (origin === 'array') return `${count} ${count === 1 ? 'entry' : 'entries'}`;
  return String(count);
}

function nameOfType(expected: string): string {
  const names: Readonly<Record<string, string>> = {
    string: 'text',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
    object: 'a mapping (keys and values)',
    record: 'a mapping (names and values)',
    array: 'a list',
  };
  return Object.hasOwn(names, expected) ? (names[expected] ?? expected) : expected;
}

function faultsOf(
  issue: Issue,
  root: unknown,
  above: readonly PropertyKey[],
  allowedKeys: ReadonlyMap<readonly string[], string[]>,
): Fault[] {
  const at = [...above, ...issue.path];
  const path = pathOf(at);
  const got = valueAt(root, at);
  switch (issue.code) {
    case 'unrecognized_keys': {
      const allowed = allowedKeys.get(issue.keys) ?? [];
      return issue.keys.map((key) => ({
        path: pathOf([...at, key]),
        message: `unknown key; ${expectedNames(key, allowed)}`,
      }));
    }
    case 'invalid_key':
      return [{ path, message: `as a name: ${issue.issues[0]?.message ?? 'expected another one'}` }];
    case 'invalid_union': {
      if (issue.errors.length === 0) {
        const options = 'options' in issue ? (issue.options ?? []).map(String) : [];
        return [{ path, message: withGot(expectedNames(typeof got === 'string' ? got : '', options), at, got) }];
      }
      const meant = memberMeant(issue.errors);
      if (meant !== undefined) return meant.flatMap((inner) => faultsOf(inner, root, at, allowedKeys));
      return [{ path, message: withGot(`expected ${typesOf(issue).join(' or ')}`, at, got) }];
    }
    default:
      return [{ path, message: withGot(issue.message, at, got) }];
  }
}

/** Of a union's members the one whose faults lie deepest inside: the value has its shape. None when all were wrong at once. */
function memberMeant(members: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  return members
    .filter((issues) => issues.every((issue) => !isOfWholeValue(issue)))
    .toSorted((one, other) => one.length - other.length)[0];
}

function isOfWholeValue(issue: Issue): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === 'invalid_union') return memberMeant(issue.errors) === undefined;
  return issue.code === 'invalid_type' || issue.code === 'invalid_value';
}

function typesOf(issue: z.core.$ZodIssueInvalidUnion): string[] {
  const types = issue.errors.flat().flatMap((inner) => {
    if (inner.code === 'invalid_union') return typesOf(inner);
    return inner.code === 'invalid_type' ? [nameOfType(inner.expected)] : [];
  });
  return [...new Set(types)];
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.map(String).join('.');
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const key of path) {
    if (Array.isArray(value)) value = (value as unknown[])[Number(key)];
    else value = isMapping(value) && Object.hasOwn(value, key) ? value[String(key)] : undefined;
  }
  return value;
}

/** Where a value may hold a password, faults do not repeat it. */
const SENSITIVE = new Set<PropertyKey>(['connection', 'headers', 'profile']);

function withGot(message: string, path: readonly PropertyKey[], got: unknown): string {
  if (got === undefined) return `is required: ${message}`;
  const hint = message === 'expected text' && (typeof got === 'number' || typeof got === 'boolean');
  const shown = path.some((key) => SENSITIVE.has(key)) && typeof got === 'string' ? 'other text' : describeValue(got);
  return `${message}, got ${shown}${hint ? ' (put it in quotes)' : ''}`;
}

/** A value in a few words, for messages. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (isMapping(value)) return 'a mapping';
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  return typeof value === 'number' || typeof value === 'boolean' || value === null ? String(value) : typeof value;
}
