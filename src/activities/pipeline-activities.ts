/** The activities of `DataPipelineWorkflow`, each one engine call (spec section 2 names them). */
import type { DuckDbEngine } from '../engines/duckdb/duckdb-engine.ts';
import { runSql } from '../engines/duckdb/run-sql.ts';
import type { IcebergCatalog } from '../engines/iceberg/catalog.ts';
import { loadToIceberg } from '../engines/iceberg/load-to-iceberg.ts';
import { runChecks } from '../engines/quality/run-checks.ts';
import { extractFile } from '../engines/sources/file-source.ts';
import type { FileRoots } from '../engines/sources/file-roots.ts';
import { extractJdbc } from '../engines/sources/jdbc-source.ts';
import { writeFileSink } from '../engines/sinks/file-sink.ts';
import { loadToPostgres as loadPostgres } from '../engines/sinks/postgres-sink.ts';
import type { Dataset } from '../engines/dataset.ts';
import { EngineError } from '../errors.ts';
import type { Sink, Source, Transformation } from '../schemas/definition.ts';
import type { QualityResult, StepInput, StepResult } from '../workflows/messages.ts';
import type { NotificationActivities } from './notifications.ts';
import type { SecretResolver } from './secrets.ts';
import { type StepDependencies, type StepWork, stepActivity } from './step-activity.ts';

export interface PipelineActivities extends NotificationActivities {
  extract_data(input: StepInput): Promise<StepResult>;
  validate_quality(input: StepInput): Promise<QualityResult>;
  run_sql(input: StepInput): Promise<StepResult>;
  load_to_iceberg(input: StepInput): Promise<StepResult>;
  load_to_postgres(input: StepInput): Promise<StepResult>;
  write_file(input: StepInput): Promise<StepResult>;
}

export interface PipelineDependencies extends StepDependencies {
  duckdb: DuckDbEngine;
  catalog: IcebergCatalog;
  roots: FileRoots;
  secrets: SecretResolver;
}

export function createPipelineActivities(
  dependencies: PipelineDependencies,
): Omit<PipelineActivities, keyof NotificationActivities> {
  const { duckdb, catalog, roots, secrets, store, metrics } = dependencies;
  return {
    extract_data: stepActivity(dependencies, async (step) => {
      const source = sourceOf(step);
      const outputFolder = await step.newOutputFolder();
      const interval = intervalOf(step);
      if (source.type === 'file') {
        return produced(await extractFile(duckdb, { source, roots, outputFolder, ...interval }, step.context));
      }
      if (source.type !== 'jdbc') throw notBuilt(`a source of type ${source.type}`);
      const from = await store.watermarks.get(step.run.row.pipelineId, step.name);
      const connectionUrl = await secrets.resolve(step.run.row.tenant, source.connection);
      const { dataset, watermark } = await extractJdbc(
        duckdb,
        {
          source,
          connectionUrl,
          parameters: step.run.parameters,
          roots,
          outputFolder,
          ...(from !== undefined && { watermark: from }),
          ...interval,
        },
        step.context,
      );
      const read = watermark ?? from;
      return {
        ...produced(dataset),
        ...(read !== undefined && { watermark: { source: step.name, from: from ?? null, value: read } }),
      };
    }),

    validate_quality: stepActivity<QualityResult>(dependencies, async ({ input, run, context }) => {
      const { checks, min_score: minScore } = run.document.definition.quality_checks;
      const { parameters } = run;
      const report = await runChecks(duckdb, { checks, minScore, inputs: input.inputs, parameters }, context);
      await store.quality.save(input.executionId, report.score, report);
      metrics.qualityScore.set({ pipeline: metrics.pipelineLabel(run.document.name) }, report.score);
      return { score: report.score, needsApproval: report.needsApproval };
    }),

    run_sql: stepActivity(dependencies, async (step) => {
      const transformation = transformationOf(step);
      if (transformation.engine !== 'sql') throw notBuilt(`the engine ${transformation.engine}`);
      const request = {
        sql: transformation.sql,
        parameters: step.run.parameters,
        inputs: step.input.inputs,
        outputFolder: await step.newOutputFolder(),
      };
      return produced(await runSql(duckdb, request, step.context));
    }),

    load_to_iceberg: stepActivity(dependencies, async (step) => {
      const sink = sinkOf(step, 'iceberg');
      await refuseBehindTheGate(step);
      const loaded = await loadToIceberg(
        {
          loadName: loadName(step),
          table: sink.table,
          mode: sink.mode,
          mergeKeys: sink.merge_keys ?? [],
          partitionBy: sink.partition_by,
          schemaEvolution: sink.schema_evolution,
          input: inputOf(step, sink),
        },
        { catalog, duckdb },
        step.context,
      );
      return { rows: loaded.rows, bytes: loaded.bytes };
    }),

    load_to_postgres: stepActivity(dependencies, async (step) => {
      const sink = sinkOf(step, 'postgres');
      await refuseBehindTheGate(step);
      const connectionUrl = await secrets.resolve(step.run.row.tenant, sink.connection);
      const loaded = await loadPostgres(
        duckdb,
        {
          input: inputOf(step, sink),
          connectionUrl,
          table: sink.table,
          mode: sink.mode,
          mergeKeys: sink.merge_keys ?? [],
          loadName: loadName(step),
        },
        step.context,
      );
      return { rows: loaded.rows, bytes: loaded.bytes };
    }),

    write_file: stepActivity(dependencies, async (step) => {
      const sink = sinkOf(step, 'file');
      await refuseBehindTheGate(step);
      const { path, format } = sink;
      const request = { input: inputOf(step, sink), path, format, roots, loadName: loadName(step) };
      const written = await writeFileSink(duckdb, request, step.context);
      return { rows: written.rows, bytes: written.bytes };
    }),
  };

  /** The workflow does not come here past a gate that nobody passed; if it ever did, nothing would be written. */
  async function refuseBehindTheGate({ input }: StepWork): Promise<void> {
    const gate = await store.gates.find(input.executionId);
    if (gate === undefined) return;
    const answer = await store.gates.answerOf(input.executionId);
    if (answer?.kind !== 'approved') throw new EngineError('PermissionDeniedError', 'Nobody approved this load');
  }
}

function produced(output: Dataset): StepResult {
  return { rows: output.rows, bytes: output.bytes, output };
}

/** Kept across retries of a run, so that its rows are committed once whichever of them commits (spec section 2). */
function loadName({ run, name }: StepWork): string {
  return `${run.row.rootExecutionId}/${name}`;
}

function inputOf({ input }: StepWork, sink: Sink): Dataset {
  const dataset = input.inputs[sink.from];
  if (dataset === undefined) throw new EngineError('ValidationError', `${sink.from} left no output to load`);
  return dataset;
}

function intervalOf({ run }: StepWork): { interval?: { column: string; startIso: string; endIso: string } } {
  const { intervalStart, intervalEnd } = run.row;
  const column = run.document.definition.partitioning?.column;
  if (intervalStart === null || intervalEnd === null || column === undefined) return {};
  return { interval: { column, startIso: intervalStart.toISOString(), endIso: intervalEnd.toISOString() } };
}

function sourceOf({ run, name }: StepWork): Source {
  const source = run.document.definition.sources[name];
  if (source === undefined) throw new EngineError('ValidationError', `the revision has no source ${name}`);
  return source;
}

function transformationOf({ run, name }: StepWork): Transformation {
  const found = run.document.definition.transformations.find((transformation) => transformation.name === name);
  if (found === undefined) throw new EngineError('ValidationError', `the revision has no transformation ${name}`);
  return found;
}

function sinkOf<Type extends Sink['type']>({ run, name }: StepWork, type: Type): Extract<Sink, { type: Type }> {
  const sink = run.document.definition.sinks[name];
  if (sink?.type !== type) throw new EngineError('ValidationError', `the revision has no ${type} sink ${name}`);
  return sink as Extract<Sink, { type: Type }>;
}

function notBuilt(what: string): EngineError {
  return new EngineError('UnsupportedError', `${what} is not available on this worker`);
}
