/** What may stand as `${…}` in a field of a document, by where the field is (spec section 3, Parameters and Secrets). */
export interface FieldRule {
  /**
   * substitute: `${name}` becomes the parameter's value; bind: it stays, since it is a bound value of SQL;
   * none: parameters are not allowed; host: not in the host of a URL.
   */
  parameters: 'substitute' | 'bind' | 'none' | 'host';
  /** Whether `${secret:NAME}` is left as it is, for the activity to resolve. */
  secrets: boolean;
  /** Whether `${input:name}` and `${output}` stay, for a Flink statement. */
  datasets?: boolean;
}

const RULES: readonly (readonly [pattern: string, rule: FieldRule])[] = [
  ['definition.sources.*.connection', { parameters: 'none', secrets: true }],
  ['definition.sources.*.table', { parameters: 'none', secrets: false }],
  ['definition.sources.*.query', { parameters: 'bind', secrets: false }],
  ['definition.sources.*.url', { parameters: 'host', secrets: false }],
  ['definition.sources.*.headers.**', { parameters: 'substitute', secrets: true }],
  ['definition.quality_checks.checks.*.sql', { parameters: 'bind', secrets: false }],
  ['definition.transformations.*.sql', { parameters: 'bind', secrets: false }],
  ['definition.transformations.*.statement', { parameters: 'bind', secrets: false, datasets: true }],
  ['definition.transformations.*.profile.**', { parameters: 'substitute', secrets: true }],
  ['definition.sinks.*.connection', { parameters: 'none', secrets: true }],
  ['definition.sinks.*.table', { parameters: 'none', secrets: false }],
];
const SPLIT_RULES = RULES.map(([pattern, rule]) => [pattern.split('.'), rule] as const);
const OTHERWISE: FieldRule = { parameters: 'substitute', secrets: false };

export function fieldRule(path: readonly string[]): FieldRule {
  return SPLIT_RULES.find(([pattern]) => matches(pattern, path))?.[1] ?? OTHERWISE;
}

/** `*` is any one key, a final `**` everything below. */
function matches(pattern: readonly string[], path: readonly string[]): boolean {
  const deep = pattern.at(-1) === '**';
  const fixed = deep ? pattern.slice(0, -1) : pattern;
  if (deep ? path.length < fixed.length : path.length !== fixed.length) return false;
  return fixed.every((part, index) => part === '*' || part === path[index]);
}
