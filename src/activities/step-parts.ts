/** What an activity looks up of its step: the part of the definition that it does, and what it works on. */
import type { Dataset } from '../engines/dataset.ts';
import { EngineError } from '../errors.ts';
import type { Sink, Source, Transformation } from '../schemas/definition.ts';
import { BACKFILL_TRIGGER } from '../store/runs.ts';
import type { StepResult } from '../workflows/messages.ts';
import type { StepWork } from './step-activity.ts';
import { zonedIso } from '../schemas/zoned-clock.ts';

/** Half-open, ISO 8601 with the offset of the pipeline's time zone: a column without a zone is compared with that clock. */
export interface Interval {
  column: string;
  startIso: string;
  endIso: string;
}

export function sourceOf({ run, name }: StepWork): Source {
  const source = run.document.definition.sources[name];
  if (source === undefined) throw new EngineError('ValidationError', `the revision has no source ${name}`);
  return source;
}

export function transformationOf<Engine extends Transformation['engine']>(
  { run, name }: StepWork,
  engine: Engine,
): Extract<Transformation, { engine: Engine }> {
  const found = run.document.definition.transformations.find((transformation) => transformation.name === name);
  if (found?.engine !== engine) {
    throw new EngineError('ValidationError', `the revision has no ${engine} transformation ${name}`);
  }
  return found as Extract<Transformation, { engine: Engine }>;
}

export function sinkOf<Type extends Sink['type']>({ run, name }: StepWork, type: Type): Extract<Sink, { type: Type }> {
  const sink = run.document.definition.sinks[name];
  if (sink?.type !== type) throw new EngineError('ValidationError', `the revision has no ${type} sink ${name}`);
  return sink as Extract<Sink, { type: Type }>;
}

/** What a sink loads. */
export function inputOf({ input }: StepWork, sink: Sink): Dataset {
  const dataset = input.inputs[sink.from];
  if (dataset === undefined) throw new EngineError('ValidationError', `${sink.from} left no output to load`);
  return dataset;
}

/** The rows that a run is about, when it was started for an interval and the pipeline has a partitioning column. */
export function intervalOf({ run }: StepWork): Interval | undefined {
  const { intervalStart, intervalEnd } = run.row;
  const { partitioning } = run.document.definition;
  if (intervalStart === null || intervalEnd === null || partitioning === undefined) return undefined;
  const { column, timezone } = partitioning;
  return { column, startIso: zonedIso(intervalStart, timezone), endIso: zonedIso(intervalEnd, timezone) };
}

/**
 * Of which a load replaces the rows, whatever the sink's mode, and which no row of it may be outside of: that of a partition
 * of a backfill.
 */
export function intervalToReplace(step: StepWork): Interval | undefined {
  if (!isOfPartition(step)) return undefined;
  const interval = intervalOf(step);
  if (interval !== undefined) return interval;
  throw new EngineError('ValidationError', 'definition.partitioning: expected the column of which rows are replaced');
}

/** Whether the step is done for a partition of a backfill: what it reads is said by the interval alone. */
export function isOfPartition({ run }: StepWork): boolean {
  return run.row.trigger === BACKFILL_TRIGGER;
}

/** Kept across retries of a run, so that its rows are committed once whichever of them commits (spec section 2). */
export function loadNameOf({ run, name }: StepWork): string {
  return `${run.row.rootExecutionId}/${name}`;
}

/** The result of a step that left a dataset in staging. */
export function produced(output: Dataset): StepResult {
  return { rows: output.rows, bytes: output.bytes, output };
}
