import { realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EngineError } from '../../errors.ts';
import { resolveReadableFiles, type FileRoots } from '../sources/file-roots.ts';

const PROJECT_FILE = 'dbt_project.yml';

/**
 * Absolute path, links followed, of the folder that holds a dbt project, within the folders that pipelines may use.
 *
 * @throws EngineError `ValidationError` when there is no project; `PermissionDeniedError` outside the roots
 */
export async function resolveProject(project: string, roots: FileRoots): Promise<string> {
  if (/[*?[\]{}]/.test(project)) throw new EngineError('ValidationError', `project: expected a folder, got ${project}`);
  const [file] = await resolveReadableFiles(join(project, PROJECT_FILE), roots).catch((error: unknown) => {
    if (!(error instanceof EngineError) || error.type !== 'ValidationError') throw error;
    throw new EngineError('ValidationError', `project: ${project} holds no dbt project: ${error.message}`);
  });
  const folder = await realpath(dirname(file?.path ?? ''));
  if (!(await stat(folder)).isDirectory()) throw new EngineError('ValidationError', `project: ${project} is no folder`);
  return folder;
}
