/** `extract_data`: a source's rows, as Parquet in staging. */
import type { DuckDbEngine } from '../engines/duckdb/duckdb-engine.ts';
import type { FileRoots } from '../engines/sources/file-roots.ts';
import { extractFile } from '../engines/sources/file-source.ts';
import { extractJdbc } from '../engines/sources/jdbc-source.ts';
import { EngineError } from '../errors.ts';
import type { FileSource, JdbcSource } from '../schemas/definition.ts';
import type { StepResult } from '../workflows/messages.ts';
import type { SecretResolver } from './secrets.ts';
import { stepActivity, type StepDependencies, type StepWork } from './step-activity.ts';
import { intervalOf, produced, sourceOf } from './step-parts.ts';

export interface ExtractDependencies extends StepDependencies {
  duckdb: DuckDbEngine;
  roots: FileRoots;
  secrets: SecretResolver;
}

export function createExtractData(dependencies: ExtractDependencies) {
  return stepActivity(dependencies, (step) => {
    const source = sourceOf(step);
    switch (source.type) {
      case 'file':
        return fromFile(dependencies, step, source);
      case 'jdbc':
        return fromDatabase(dependencies, step, source);
      default:
        throw new EngineError('UnsupportedError', `sources of type ${source.type} are not available on this worker`);
    }
  });
}

async function fromFile(
  { duckdb, roots }: ExtractDependencies,
  step: StepWork,
  source: FileSource,
): Promise<StepResult> {
  const interval = intervalOf(step);
  const outputFolder = await step.newOutputFolder();
  return produced(
    await extractFile(duckdb, { source, roots, outputFolder, ...(interval && { interval }) }, step.context),
  );
}

async function fromDatabase(
  { duckdb, roots, secrets, store }: ExtractDependencies,
  step: StepWork,
  source: JdbcSource,
): Promise<StepResult> {
  const { pipelineId, tenant } = step.run.row;
  const from = await store.watermarks.get(pipelineId, step.name);
  const interval = intervalOf(step);
  const { dataset, watermark } = await extractJdbc(
    duckdb,
    {
      source,
      connectionUrl: await secrets.resolve(tenant, source.connection),
      parameters: step.run.parameters,
      roots,
      outputFolder: await step.newOutputFolder(),
      ...(from !== undefined && { watermark: from }),
      ...(interval && { interval }),
    },
    step.context,
  );
  const read = watermark ?? from;
  return {
    ...produced(dataset),
    ...(read !== undefined && { watermark: { source: step.name, from: from ?? null, value: read } }),
  };
}
