/** `--param name=value`: text from a terminal, as the pipeline's declaration of the parameter wants it (spec section 3). */
import { UsageError } from './usage-error.ts';

type Scalar = string | number | boolean;

/**
 * @param given `name=value` each
 * @param declared the pipeline's `parameters`; a name that is not there is sent as text, for the service to refuse
 * @throws UsageError when one has no name
 */
export function readParameters(given: readonly string[], declared: Record<string, unknown>): Record<string, Scalar> {
  return Object.fromEntries(
    given.map((option) => {
      const [, name, value] = /^([^=]+)=(.*)$/s.exec(option) ?? [];
      if (name === undefined || value === undefined) throw new UsageError(`--param ${option}: expected name=value`);
      return [name, typed(value, declared[name])];
    }),
  );
}

/** What is no number or boolean stays text, so that the fault the service tells shows what was typed. */
function typed(text: string, declaration: unknown): Scalar {
  const type = typeOf(declaration);
  if (type === 'boolean' && /^(true|false)$/.test(text)) return text === 'true';
  if ((type === 'int' || type === 'float') && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
  return text;
}

/** Of `{type: int}`, or of a bare default such as `15`. */
function typeOf(declaration: unknown): unknown {
  if (typeof declaration === 'object' && declaration !== null && 'type' in declaration) return declaration.type;
  return typeof declaration === 'number' ? 'float' : typeof declaration;
}
