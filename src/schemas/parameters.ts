/**
 * A pipeline's parameters (spec section 3): what a document declares, what a run is given, and the typed values that
 * come of both. They are put into a definition by `substitute-parameters.ts`; in SQL they are bound values.
 */
import * as z from 'zod';
import { parameter } from './definition.ts';
import type { Fault } from './fault.ts';
import { isMapping } from './json.ts';
import { expectedNames } from './nearest-name.ts';
import { TYPE_RULES, typeOfBareDefault } from './parameter-types.ts';
import { checkSchema, describeValue } from './schema-faults.ts';

/**
 * A parameter as a run has it: typed, and safe to store and to send, since every value is plain JSON.
 *
 * An `enum` is a `string` once its value was checked. A `date` is ISO text (`2001-01-31`), a `timestamp` ISO text with
 * an offset (`2001-01-31T06:00:00Z`): whoever binds it in SQL casts it to its type.
 */
export type ParameterType = 'string' | 'int' | 'float' | 'boolean' | 'date' | 'timestamp';

export interface ParameterValue {
  type: ParameterType;
  value: string | number | boolean;
}

/** What every run has beside the declared parameters; the interval only when it was given one. */
export interface BuiltInParameters {
  run_id: string;
  /** ISO 8601 with an offset, as are the others. */
  scheduled_at: string;
  interval_start?: string;
  interval_end?: string;
}

export const BUILT_IN_TYPES = {
  run_id: 'string',
  scheduled_at: 'timestamp',
  interval_start: 'timestamp',
  interval_end: 'timestamp',
} as const satisfies Readonly<Record<keyof BuiltInParameters, ParameterType>>;

interface DeclaredParameter {
  type: ParameterType;
  /** Of an enum. */
  values?: readonly string[] | undefined;
  default?: ParameterValue['value'] | undefined;
}

/**
 * The values of a run: given ones, else defaults, and what is built in. All faults at once, `parameters.month: …`.
 * @param declared the document's `parameters`, as it stands there
 */
export function bindParameters(
  declared: unknown,
  given: unknown,
  builtIns: BuiltInParameters,
): { values: Record<string, ParameterValue> } | { faults: Fault[] } {
  const { parameters, faults } = readDeclarations(declared);
  const values = builtInValues(builtIns);
  const givenValues = given ?? {};
  if (!isMapping(givenValues)) {
    return {
      faults: [...faults, { path: 'parameters', message: `expected names and values, got ${describeValue(given)}` }],
    };
  }
  for (const name of Object.keys(givenValues)) {
    if (!parameters.has(name))
      faults.push({ path: `parameters.${name}`, message: undeclared(name, [...parameters.keys()]) });
  }
  for (const [name, { type, values: allowed, default: otherwise }] of parameters) {
    const value = Object.hasOwn(givenValues, name) ? givenValues[name] : otherwise;
    const path = `parameters.${name}`;
    const read = readValue(type, allowed, value);
    if (value === undefined)
      faults.push({ path, message: `is required, since it has no default: expected ${read.expected}` });
    else if (read.value === undefined)
      faults.push({ path, message: `expected ${read.expected}, got ${describeValue(value)}` });
    else values[name] = { type, value: read.value };
  }
  return faults.length === 0 ? { values } : { faults };
}

/**
 * The values that a document is checked with while nobody runs it: defaults, and where there is none an example of the
 * type. `undecided` are the names that have only an example.
 */
export function exampleValues(declared: unknown): {
  values: Record<string, ParameterValue>;
  undecided: Set<string>;
  faults: Fault[];
} {
  const { parameters, faults } = readDeclarations(declared);
  const values = builtInValues({
    run_id: '00000000-0000-0000-0000-000000000000',
    scheduled_at: TYPE_RULES.timestamp.example as string,
    interval_start: TYPE_RULES.timestamp.example as string,
    interval_end: '2001-01-02T00:00:00Z',
  });
  const undecided = new Set<string>();
  for (const [name, { type, values: allowed, default: otherwise }] of parameters) {
    const value = otherwise === undefined ? undefined : readValue(type, allowed, otherwise).value;
    if (value === undefined) undecided.add(name);
    values[name] = { type, value: value ?? allowed?.[0] ?? TYPE_RULES[type].example };
  }
  return { values, undecided, faults };
}

function undeclared(name: string, declared: readonly string[]): string {
  if (Object.hasOwn(BUILT_IN_TYPES, name)) return 'is built in and cannot be given';
  if (declared.length === 0) return 'is not declared; the pipeline has no parameters';
  return `is not declared; ${expectedNames(name, declared)}`;
}

function builtInValues(builtIns: BuiltInParameters): Record<string, ParameterValue> {
  // Names come from documents; on an object with a prototype some of them would seem to be there.
  const values = Object.create(null) as Record<string, ParameterValue>;
  for (const [name, type] of Object.entries(BUILT_IN_TYPES)) {
    const value = builtIns[name as keyof BuiltInParameters];
    if (value !== undefined) values[name] = { type, value };
  }
  return values;
}

const declaration = z.record(z.string(), z.unknown());

/** The declarations that are sound, and the faults of the others. */
function readDeclarations(declared: unknown): { parameters: Map<string, DeclaredParameter>; faults: Fault[] } {
  const parameters = new Map<string, DeclaredParameter>();
  const all = checkSchema(declaration, declared ?? {});
  if ('faults' in all) return { parameters, faults: [{ path: 'parameters', message: 'expected a mapping of names' }] };
  const faults: Fault[] = [];
  for (const [name, written] of Object.entries(all.value)) {
    const path = `parameters.${name}`;
    const checked = checkSchema(parameter, written);
    if ('faults' in checked) {
      faults.push(
        ...checked.faults.map((fault) => ({ ...fault, path: fault.path === '' ? path : `${path}.${fault.path}` })),
      );
      continue;
    }
    const { value } = checked;
    const read: DeclaredParameter =
      typeof value === 'object'
        ? { ...value, type: value.type === 'enum' ? 'string' : value.type }
        : { type: typeOfBareDefault(value), default: value };
    parameters.set(name, read);
    faults.push(...declarationFaults(name, path, read, typeof value === 'object' && value.type === 'enum'));
  }
  return { parameters, faults };
}

function declarationFaults(name: string, path: string, declared: DeclaredParameter, isEnum: boolean): Fault[] {
  const faults: Fault[] = [];
  const { type, values, default: otherwise } = declared;
  if (Object.hasOwn(BUILT_IN_TYPES, name)) faults.push({ path, message: 'is built in; expected another name' });
  if (isEnum && values === undefined)
    faults.push({ path: `${path}.values`, message: 'is required: expected the list of allowed values' });
  if (!isEnum && values !== undefined)
    faults.push({ path: `${path}.values`, message: 'only an enum has values; expected type: enum' });
  if (values !== undefined && new Set(values).size < values.length) {
    faults.push({ path: `${path}.values`, message: 'expected each value once' });
  }
  if (otherwise === undefined) return faults;
  const read = readValue(type, isEnum ? values : undefined, otherwise);
  if (read.value === undefined) {
    faults.push({ path: `${path}.default`, message: `expected ${read.expected}, got ${describeValue(otherwise)}` });
  }
  return faults;
}

function readValue(type: ParameterType, allowed: readonly string[] | undefined, value: unknown) {
  if (allowed === undefined) return { value: TYPE_RULES[type].read(value), expected: TYPE_RULES[type].expected };
  return {
    value: allowed.find((one) => one === value),
    expected: `one of ${allowed.join(', ')}`,
  };
}
