/**
 * The `profile` of a dbt transformation as the profiles.yml that dbt reads. The author writes one output (`{type:
 * postgres, host: …}`) or a whole profile (`{target, outputs}`).
 */
import { EngineError } from '../../errors.ts';
import { resolveWritablePath, type FileRoots } from '../sources/file-roots.ts';

/** What dbt is told by `--profile`; the project's own name for its profile plays no part. */
export const PROFILE_NAME = 'pipeline';

const SECRET = /\$\{secret:[A-Za-z0-9_]{1,128}\}/g;
/** What dbt would take for one of its templates. */
const TEMPLATE_MARK = /\{[{%#]/;
/** Adapters whose database is a file. Their other settings can name more files and code. */
const FILE_ADAPTERS = new Set(['duckdb', 'sqlite']);
const SETTINGS_OF_FILE_ADAPTERS = new Set(['type', 'path', 'schema', 'database', 'threads']);

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
type JsonMapping = Record<string, Json>;

export interface WrittenProfile {
  /** JSON, which is YAML, too. Holds the secrets. */
  text: string;
  /** The values that must not be told anybody. */
  secrets: string[];
}

/**
 * @param secretOf the value of one `${secret:NAME}`
 * @throws EngineError `ValidationError` for a profile that dbt could not use; `PermissionDeniedError` for a file outside the roots
 */
export async function writeProfile(
  profile: Readonly<JsonMapping>,
  roots: FileRoots,
  secretOf: (reference: string) => Promise<string>,
): Promise<WrittenProfile> {
  const secrets = new Set<string>();
  const resolve = async (value: Json): Promise<Json> => {
    if (typeof value === 'string') return resolveText(value);
    if (Array.isArray(value)) return Promise.all(value.map(resolve));
    if (!isMapping(value)) return value;
    const entries = Object.entries(value).map(async ([key, inner]) => [key, await resolve(inner)] as const);
    return Object.fromEntries(await Promise.all(entries));
  };
  const resolveText = async (text: string): Promise<string> => {
    const values = new Map<string, string>();
    for (const [reference] of text.matchAll(SECRET)) values.set(reference, await secretOf(reference));
    for (const value of values.values()) secrets.add(value);
    return text.replace(SECRET, (reference) => verbatim(values.get(reference) ?? ''));
  };

  const { target, outputs } = wholeProfile(profile);
  const checked: JsonMapping = {};
  for (const [name, output] of Object.entries(outputs)) {
    checked[name] = await withinRoots(await resolve(output), roots);
  }
  return { text: JSON.stringify({ [PROFILE_NAME]: { target, outputs: checked } }), secrets: [...secrets] };
}

/** dbt renders every text of a profile; a secret is never a template. */
function verbatim(secret: string): string {
  return TEMPLATE_MARK.test(secret) ? `{% raw %}${secret}{% endraw %}` : secret;
}

function wholeProfile(profile: Readonly<JsonMapping>): { target: Json; outputs: JsonMapping } {
  const { outputs, target } = profile;
  if (!isMapping(outputs)) return { target: PROFILE_NAME, outputs: { [PROFILE_NAME]: { ...profile } } };
  return { target: target ?? Object.keys(outputs)[0] ?? '', outputs };
}

/** The database file of an output is a file that a pipeline writes, like any other (FILE_ROOTS). */
async function withinRoots(output: Json, roots: FileRoots): Promise<Json> {
  if (!isMapping(output) || typeof output['type'] !== 'string') {
    throw new EngineError('ValidationError', "profile: expected an output of dbt with its adapter's type");
  }
  if (!FILE_ADAPTERS.has(output['type'])) return output;
  const further = Object.keys(output).find((setting) => !SETTINGS_OF_FILE_ADAPTERS.has(setting));
  if (further !== undefined && roots.roots !== 'any') {
    throw new EngineError('ValidationError', `profile: ${further} is not taken where FILE_ROOTS limits the files`);
  }
  const { path } = output;
  if (typeof path !== 'string' || path === ':memory:') return output;
  return { ...output, path: (await resolveWritablePath(path, roots)).path };
}

function isMapping(value: Json | undefined): value is JsonMapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
