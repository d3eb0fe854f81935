/**
 * Text to value, for everything that is sent or read as a document: strict, bounded, and with faults instead of
 * exceptions (spec section 3: 1 MiB, depth 20, 100 YAML aliases, no duplicate keys).
 */
import { checkLimits, MAX_DOCUMENT_BYTES } from './check-limits.ts';
import type { Fault } from './fault.ts';
import { parseJson } from './parse-json.ts';
import { parseYaml } from './parse-yaml.ts';

/** The value of a document's text, or all that is wrong with the text. Never throws. */
export function parseDocument(text: string, format: 'yaml' | 'json'): { value: unknown } | { faults: Fault[] } {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_DOCUMENT_BYTES) {
    return { faults: [{ path: '', message: `expected a document of at most 1 MiB, got ${bytes} bytes` }] };
  }
  const parsed = format === 'json' ? parseJson(text) : parseYaml(text);
  if ('faults' in parsed) return parsed;
  const faults = checkLimits(parsed.value);
  return faults.length === 0 ? parsed : { faults };
}
