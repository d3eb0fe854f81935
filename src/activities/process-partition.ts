/**
 * `process_partition`: a pipeline's whole definition over one interval (spec section 2, DataBackfillWorkflow). What its
 * steps leave to each other stays with the attempt. Its loads replace the rows of the interval and are named after the
 * partition and its round, so that an attempt that was thought lost, and its successor, commit once.
 */
import { randomUUID } from 'node:crypto';
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import type { Dataset, EngineContext } from '../engines/dataset.ts';
import { runChecks } from '../engines/quality/run-checks.ts';
import type { StagingFolder } from '../engines/staging.ts';
import { resolveDefinition } from '../pipelines/resolve-definition.ts';
import { partitionParameters, rootOfPartition } from '../schemas/partition-parameters.ts';
import type { Sink } from '../schemas/definition.ts';
import { inOrder } from '../schemas/transformation-order.ts';
import type { BackfillRow } from '../store/backfills.ts';
import { BACKFILL_TRIGGER } from '../store/runs.ts';
import type { PartitionInput, PartitionResult } from '../workflows/backfill-messages.ts';
import type { StepResult } from '../workflows/messages.ts';
import { extractSource, type SourceDependencies } from './extract-data.ts';
import type { LoadedRun } from './load-run.ts';
import { loadIcebergSink } from './load-to-iceberg.ts';
import { loadPostgresSink } from './load-to-postgres.ts';
import { transformBySql } from './run-sql.ts';
import { heartbeating, type StepDependencies, type StepWork, stepWork } from './step-activity.ts';
import { loadFileSink } from './write-file.ts';

type PartitionDependencies = Pick<StepDependencies, 'store' | 'staging' | 'metrics' | 'logger'> & SourceDependencies;

const ACTIVITY = 'process_partition';

export interface PartitionActivities {
  process_partition(input: PartitionInput): Promise<PartitionResult>;
}

export function createPartitionActivities(dependencies: PartitionDependencies): PartitionActivities {
  const { store, metrics } = dependencies;
  const process_partition = async (input: PartitionInput): Promise<PartitionResult> => {
    const startedAtMs = performance.now();
    if (Context.current().info.attempt > 1) metrics.activityRetries.inc({ activity_type: ACTIVITY });
    let outcome = 'failed';
    try {
      const result = await heartbeating(async (progress) => {
        const begun = await store.partitions.begin(input);
        if (begun === 'over') {
          throw ApplicationFailure.nonRetryable('The backfill does not want this partition any more', 'BackfillOver');
        }
        if (begun !== 'begun') return begun;
        const backfill = await store.backfills.get(input.backfillId);
        const processed = await workOn(dependencies, backfill, input, progress);
        if (await store.partitions.complete(input, processed)) {
          metrics.rowsProcessed.inc({ pipeline: metrics.pipelineLabel(backfill.pipelineName) }, processed.rows);
        }
        return { rows: processed.rows };
      });
      outcome = 'completed';
      return result;
    } catch (error) {
      if (error instanceof CancelledFailure) outcome = 'cancelled';
      throw error;
    } finally {
      const seconds = (performance.now() - startedAtMs) / 1000;
      metrics.activityExecutionSeconds.observe({ activity_type: ACTIVITY, outcome }, seconds);
    }
  };
  return { process_partition };
}

/** Does the work and leaves nothing in staging. */
async function workOn(
  dependencies: PartitionDependencies,
  backfill: BackfillRow,
  partition: PartitionInput,
  progress: EngineContext['progress'],
): Promise<{ rows: number; bytes: number }> {
  const { staging, logger } = dependencies;
  const run = await partitionRun(dependencies, backfill, partition);
  const { backfillId, requestId } = partition;
  const lines = logger.child({ requestId, backfillId, interval: run.row.intervalStart?.toISOString() });
  const context: EngineContext = {
    signal: Context.current().cancellationSignal,
    log: (level, message) => {
      lines[level](message);
    },
    progress: () => undefined,
  };
  const folders: StagingFolder[] = [];
  const stepOf = (step: string, inputs: Record<string, Dataset>): StepWork => {
    const input = { executionId: run.row.executionId, requestId, step, inputs };
    return stepWork(staging, folders, { input, run, context, link: () => Promise.resolve() });
  };
  try {
    return await allSteps(dependencies, run, stepOf, progress);
  } finally {
    await Promise.allSettled(folders.map((folder) => staging.release(folder)));
    await staging.dropRun(run.at).catch(() => undefined);
  }
}

async function allSteps(
  dependencies: PartitionDependencies,
  run: LoadedRun,
  stepOf: (step: string, inputs: Record<string, Dataset>) => StepWork,
  progress: EngineContext['progress'],
): Promise<{ rows: number; bytes: number }> {
  const { sources, quality_checks: quality, transformations, sinks } = run.document.definition;
  const steps = Object.keys(sources).length + transformations.length + Object.keys(sinks).length + 1;
  let done = 0;
  const told = (): void => {
    done += 1;
    progress(done / steps);
  };
  const outputs: Record<string, Dataset> = {};
  const keep = (name: string, { output }: StepResult): void => {
    if (output !== undefined) outputs[name] = output;
    told();
  };
  for (const name of Object.keys(sources)) {
    // The interval says what is read; how far runs have read an incremental source plays no part.
    keep(name, await extractSource(dependencies, stepOf(`extract:${name}`, {}), undefined));
  }
  const { checks, min_score: minScore } = quality;
  const checked = stepOf('quality', { ...outputs });
  const { parameters } = run;
  const { inputs } = checked.input;
  const report = await runChecks(dependencies.duckdb, { checks, minScore, inputs, parameters }, checked.context);
  // Nobody is asked for each of ten thousand partitions: what is not good enough is not loaded.
  if (report.needsApproval) throw ApplicationFailure.nonRetryable('Quality below threshold', 'QualityBelowThreshold');
  told();
  for (const { name, depends_on: dependsOn } of inOrder(transformations)) {
    const needed = [...new Set([...Object.keys(sources), ...dependsOn])];
    const step = stepOf(`transform:${name}`, Object.fromEntries(needed.flatMap((one) => entryOf(outputs, one))));
    keep(name, await transformBySql(dependencies.duckdb, step));
  }
  const loaded = { rows: 0, bytes: 0 };
  for (const [name, sink] of Object.entries(sinks)) {
    const step = stepOf(`load:${name}`, Object.fromEntries(entryOf(outputs, sink.from)));
    const { rows, bytes } = await load(dependencies, sink.type, step);
    loaded.rows += rows;
    loaded.bytes += bytes;
    told();
  }
  return loaded;
}

function entryOf(outputs: Record<string, Dataset>, name: string): [string, Dataset][] {
  const dataset = outputs[name];
  return dataset === undefined ? [] : [[name, dataset]];
}

function load(
  dependencies: PartitionDependencies,
  type: Sink['type'],
  step: StepWork,
): Promise<{ rows: number; bytes: number }> {
  if (type === 'iceberg') return loadIcebergSink(dependencies, step);
  return type === 'postgres' ? loadPostgresSink(dependencies, step) : loadFileSink(dependencies, step);
}

async function partitionRun(
  { store }: PartitionDependencies,
  backfill: BackfillRow,
  partition: PartitionInput,
): Promise<LoadedRun> {
  const { tenant, pipelineId, backfillId, workflowId, requestId } = backfill;
  const { document: raw } = await store.pipelines.revision(pipelineId, backfill.revision);
  const name = `${backfillId}-${partition.position}`;
  const parameters = partitionParameters(raw, {
    parameters: backfill.parameters,
    runId: name,
    submittedAt: backfill.submittedAt,
    interval: partition,
    timezone: backfill.timezone,
  });
  if ('faults' in parameters) throw ApplicationFailure.nonRetryable('The parameters are not valid', 'ValidationError');
  // Each attempt its own: one that was thought lost may still clean up.
  const executionId = `${name}-${randomUUID().slice(0, 8)}`;
  return {
    row: {
      executionId,
      tenant,
      pipelineId,
      workflowId,
      requestId,
      rootExecutionId: rootOfPartition(backfill, partition),
      retryOf: null,
      trigger: BACKFILL_TRIGGER,
      engine: 'duckdb',
      intervalStart: new Date(partition.startMs),
      intervalEnd: new Date(partition.endMs),
    },
    document: resolveDefinition(raw, parameters.values),
    parameters: parameters.values,
    at: { tenant, pipelineId, executionId },
  };
}
