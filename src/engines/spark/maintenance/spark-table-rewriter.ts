/**
 * Iceberg's `rewrite_data_files` as a Spark job of ours (`rewrite_table.py`): it takes what the embedded engine must not
 * touch, delete files above all. The job looks the commit up by its name before it works, so one that is run again after
 * its driver was killed commits nothing twice.
 */
import { join } from 'node:path';
import * as z from 'zod';
import { EngineError } from '../../../errors.ts';
import type { EngineContext } from '../../dataset.ts';
import type { CompactionRequest, CompactionResult } from '../../iceberg/maintenance/compact-table.ts';
import type { SparkJob, SparkStep, SparkSubmitter } from '../spark-submitter.ts';

export interface SparkTableRewriterOptions {
  submitter: SparkSubmitter;
  /** How the cluster's jobs find the catalog, and what they may take. No secret: properties can be seen by many. */
  conf: Readonly<Record<string, string>>;
  /** What `conf` calls the catalog. */
  catalogName: string;
}

const outcome = z.union([
  z.object({ fault: z.object({ type: z.enum(['ValidationError', 'UnsupportedError']), message: z.string() }) }),
  z.object({
    rewrittenFiles: z.int(),
    rewrittenBytes: z.int(),
    addedFiles: z.int(),
    addedBytes: z.int(),
    snapshotId: z.string().nullable(),
  }),
]);

export class SparkTableRewriter {
  readonly #options: SparkTableRewriterOptions;

  constructor(options: SparkTableRewriterOptions) {
    this.#options = options;
  }

  /**
   * Finds the job or submits it, and waits for its end.
   *
   * @throws EngineError what `SparkSubmitter.run` throws; `ValidationError` or `UnsupportedError` for a table that is not
   *   there or cannot be rewritten
   */
  async rewrite(
    request: CompactionRequest,
    job: SparkStep & Pick<SparkJob, 'started'>,
    context: EngineContext,
  ): Promise<CompactionResult> {
    const { submitter, conf, catalogName } = this.#options;
    const { folder } = await submitter.run(
      {
        ...job,
        application: join(import.meta.dirname, 'rewrite_table.py'),
        args: [JSON.stringify({ ...request, table: `${catalogName}.${request.table}` })],
        conf,
        contextOf: (outputUri) => Promise.resolve({ maintenanceId: request.maintenanceId, output: outputUri }),
      },
      context,
    );
    const text = await folder.read('output/outcome.json');
    if (text === undefined) throw new EngineError('JobFailedError', 'the Spark job ended well and told nothing');
    const told = outcome.parse(JSON.parse(text));
    if ('fault' in told) throw new EngineError(told.fault.type, told.fault.message);
    return told;
  }

  /** Ends whatever is left working. Doing it again, or when there is nothing, is harmless. */
  stop(step: SparkStep, context: EngineContext): Promise<void> {
    return this.#options.submitter.stop(step, context);
  }
}
