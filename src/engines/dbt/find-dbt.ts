import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, resolve } from 'node:path';

/** Absolute path of the program that a shell would run; undefined when there is none. */
export async function findDbt(command: string, searchPath: string): Promise<string | undefined> {
  const candidates = command.includes('/')
    ? [resolve(command)]
    : searchPath.split(delimiter).flatMap((folder) => (folder === '' ? [] : [resolve(folder, command)]));
  for (const candidate of candidates) {
    const executable = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (executable && (await stat(candidate)).isFile()) return candidate;
  }
  return undefined;
}
