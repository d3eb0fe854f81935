/** The rows of some data files in one new file (or few): the same rows, in the order in which they lie. */
import { EngineError } from '../../../errors.ts';
import type { DuckDbEngine } from '../../duckdb/duckdb-engine.ts';
import type { DataFile } from '../data-file.ts';
import { inParallel } from '../in-parallel.ts';
import type { LoadPlan } from '../load-plan.ts';
import { checkFieldIds, columnName, tableRows } from '../table-rows.ts';
import { publishFiles, ROWS } from '../write-data-files.ts';
import { writeParquet } from '../write-parquet.ts';
import { filePlace, withScratchFolder } from '../written-load.ts';
import { rowsOf, type FileGroup } from './compaction-plan.ts';

/** As Spark has it: a file somewhat larger than the target is better than one of the rest. */
const TOO_LARGE = 1.8;

export interface GroupRewrite {
  plan: LoadPlan;
  targetFileSizeBytes: number;
  /** Gets the URI of each new file. */
  uncommitted: string[];
  signal: AbortSignal;
}

/**
 * @throws EngineError `UnsupportedError` for files that cannot be read
 */
export async function rewriteGroup(
  group: FileGroup,
  { plan, targetFileSizeBytes, uncommitted, signal }: GroupRewrite,
  duckdb: DuckDbEngine,
): Promise<DataFile[]> {
  const [first] = group;
  if (first === undefined) return [];
  return withScratchFolder(plan.table, async (scratchFolder) => {
    const { io } = plan.table;
    const paths = await inParallel(group, (file) => io.localCopy(file.path, scratchFolder, signal));
    const request = { signal, readable: [...paths, scratchFolder], writable: [scratchFolder] };
    return duckdb.withSession(request, async (session) => {
      await checkFieldIds(session, paths);
      const columns = plan.schema.fields.map((field) => ({ field, sql: `${ROWS}.${columnName(field.id)}` }));
      const written = await writeParquet(session, {
        relation: `${tableRows(paths, plan.schema)} AS ${ROWS}`,
        columns,
        keys: [],
        clustered: true,
        folder: scratchFolder,
        mostFileBytes: Math.ceil(targetFileSizeBytes * TOO_LARGE),
      });
      const place = filePlace(plan, scratchFolder, uncommitted, signal);
      const files = await publishFiles(session, written, columns, () => [...first.partition], place);
      if (rowsOf(files) !== rowsOf(group)) {
        const message = `${rowsOf(group)} rows were to be rewritten and ${rowsOf(files)} were found; the table's metadata is not right`;
        throw new EngineError('UnsupportedError', message);
      }
      return files;
    });
  });
}
