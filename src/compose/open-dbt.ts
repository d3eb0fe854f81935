import { join } from 'node:path';
import { DbtEngine } from '../engines/dbt/dbt-engine.ts';
import { findDbt } from '../engines/dbt/find-dbt.ts';
import type { Foundations } from './foundations.ts';

/** Undefined where there is no dbt command. */
export async function openDbt({ config, dataDir, roots }: Foundations): Promise<DbtEngine | undefined> {
  const { command, searchPath } = config.dbt;
  const found = await findDbt(command, searchPath);
  return found === undefined
    ? undefined
    : DbtEngine.open({ command: found, folder: join(dataDir, 'dbt'), searchPath, roots });
}
