/** `${secret:NAME}`: resolved here, in the activity, and nowhere else; never stored, logged or in a history (spec section 3). */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../errors.ts';

const REFERENCE = /\$\{secret:([A-Za-z0-9_]{1,128})\}/g;

export interface SecretOptions {
  /** `SECRETS_DIR`: `<folder>/<tenant>/NAME` holds a secret. */
  folder?: string | undefined;
  /** While the service runs open: the variables `PIPELINE_SECRET_…`, without that prefix. */
  variables: Readonly<Record<string, string>>;
}

export interface SecretResolver {
  /** The text with every `${secret:NAME}` replaced. Fails with a ValidationError that names the secret, never its value. */
  resolve(tenant: string, text: string): Promise<string>;
}

export function createSecretResolver({ folder, variables }: SecretOptions): SecretResolver {
  async function secret(tenant: string, name: string): Promise<string> {
    const variable = Object.hasOwn(variables, name) ? variables[name] : undefined;
    if (variable !== undefined) return variable;
    if (folder !== undefined && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(tenant)) {
      try {
        return (await readFile(join(folder, tenant, name), 'utf8')).replace(/\r?\n$/, '');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
          throw new EngineError('UnavailableError', `the secret ${name} cannot be read`, { cause: error });
        }
      }
    }
    throw new EngineError('ValidationError', `there is no secret ${name}: put it into SECRETS_DIR/<tenant>/${name}`);
  }

  return {
    async resolve(tenant, text) {
      const names = new Set(Array.from(text.matchAll(REFERENCE), ([, name]) => name ?? ''));
      const values = new Map<string, string>();
      for (const name of names) values.set(name, await secret(tenant, name));
      return text.replace(REFERENCE, (_, name: string) => values.get(name) ?? '');
    },
  };
}
