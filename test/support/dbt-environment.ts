import path from 'node:path';
import { pinnedEnvironment } from './pinned-environment.ts';

/** Absolute path of a `dbt` command with the adapters for DuckDB and PostgreSQL (test/engines/dbt-requirements.txt). */
export async function dbtCommand(): Promise<string> {
  const requirements = path.join(import.meta.dirname, '../engines/dbt-requirements.txt');
  const folder = await pinnedEnvironment({ name: 'dbt', requirements, check: ['dbt', '--version'] });
  return path.join(folder, 'bin/dbt');
}
