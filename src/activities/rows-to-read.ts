/**
 * Which rows an extraction may read, so that no sink gets any of them twice or never: the first thing of a run that
 * asks its sinks what earlier runs have left there (docs/guarantees.md, "Incremental sources").
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../errors.ts';
import type { Sink, Source } from '../schemas/definition.ts';
import type { BegunLoad } from '../store/begun-loads.ts';
import type { Store } from '../store/store.ts';
import type { Watermark } from '../workflows/messages.ts';
import { committedLoads, type CommittedLoadsDependencies, filesBeside } from './committed-loads.ts';
import type { StepWork } from './step-activity.ts';

export interface RowsDependencies extends CommittedLoadsDependencies {
  store: Store;
}

/** Of an incremental source. */
export interface WatermarkRange {
  column: string;
  /** Rows beyond it; null: from the start. */
  from: string | null;
  /** Rows up to it, as `JdbcExtraction` takes it; undefined: all there are. */
  upTo?: string | null;
}

/**
 * What to read of the step's source; undefined when it has no watermark.
 *
 * - A fresh run refuses to start from a watermark from which another one has loaded rows already, without completing.
 * - A retry of a run that may have loaded rows reads exactly those that it read before.
 * - A retry that cannot, since the source has no watermark, or another run has moved it, refuses if a sink has the rows
 *   that were read before: its load would find its name there and write nothing.
 *
 * @throws EngineError `ValidationError` for these refusals
 */
export async function rowsToRead(
  dependencies: RowsDependencies,
  step: StepWork,
  source: Source,
): Promise<WatermarkRange | undefined> {
  const { store } = dependencies;
  const { run, name, context } = step;
  const { pipelineId, rootExecutionId, retryOf } = run.row;
  const column = watermarkColumnOf(source);
  const from = column === undefined ? null : await storedWatermark(store, step, column);
  if (column !== undefined) {
    await refusePartlyLoaded(dependencies, step, await store.runs.begunLoadsFrom(run.row, name, from));
  }
  const own = retryOf === null ? [] : await store.runs.begunLoadsOfRoot(rootExecutionId);
  const range = column === undefined ? undefined : { column, from };
  if (own.length === 0) return range;

  const before = (await store.runs.extractedBefore(rootExecutionId, name))?.watermark;
  if (range !== undefined && isFrom(before, range)) {
    context.log('info', `reads again what an earlier run of ${pipelineId} read, and nothing beyond`);
    return { ...range, upTo: before.value };
  }
  await refuseHiddenRows(dependencies, step, own);
  return range;
}

/**
 * Refuses to load what an earlier run extracted when another one has loaded rows from the same watermark since: between
 * the request for a retry and its turn, others may have had theirs.
 *
 * @throws EngineError `ValidationError`
 */
export async function refuseRowsOfOthers(dependencies: RowsDependencies, step: StepWork): Promise<void> {
  const { store } = dependencies;
  const { row } = step.run;
  if (row.retryOf === null) return;
  const { reused } = (await store.runs.get(row.executionId)).input;
  for (const { watermark } of Object.values(reused)) {
    if (watermark === undefined) continue;
    const { source, from } = watermark;
    const now = (await store.watermarks.get(row.pipelineId, source))?.value ?? null;
    if (now !== from) {
      throw new EngineError(
        'ValidationError',
        `another run has loaded ${source} from this watermark on since: execute the pipeline again`,
      );
    }
    await refusePartlyLoaded(dependencies, step, await store.runs.begunLoadsFrom(row, source, from));
  }
}

function isFrom(before: Watermark | undefined, { column, from }: WatermarkRange): before is Watermark {
  return before?.column === column && before.from === from;
}

async function storedWatermark(store: Store, { run, name }: StepWork, column: string): Promise<string | null> {
  const known = await store.watermarks.get(run.row.pipelineId, name);
  if (known !== undefined && known.column !== '' && known.column !== column) {
    throw new EngineError(
      'ValidationError',
      `${name} was read by ${known.column} so far, and that watermark says nothing of ${column}; give the source another name to read it from the start`,
    );
  }
  return known?.value ?? null;
}

/** Only an append adds rows to those that are there; whatever replaces them, or merges by keys, may see them twice. */
async function refusePartlyLoaded(
  dependencies: RowsDependencies,
  { run, context }: StepWork,
  begun: readonly BegunLoad[],
): Promise<void> {
  await untilTold(begun, context.signal);
  const appending = Object.values(run.document.definition.sinks).filter(
    (sink) => 'mode' in sink && sink.mode === 'append',
  );
  const [loaded] = [
    ...(await committedLoads(dependencies, run, appending, begun, context.signal)),
    ...(await filesBeside(dependencies, run, begun)),
  ];
  if (loaded === undefined) return;
  throw new EngineError(
    'ValidationError',
    `execution ${loaded.executionId} did not complete, and its ${loaded.step} has committed the rows from this watermark on: retry it before another run reads them again`,
  );
}

async function refuseHiddenRows(
  dependencies: RowsDependencies,
  { run, name, context }: StepWork,
  own: readonly BegunLoad[],
): Promise<void> {
  await untilTold(own, context.signal);
  const { sources, sinks } = run.document.definition;
  const [loaded] = await committedLoads(dependencies, run, Object.values<Sink>(sinks), own, context.signal);
  if (loaded === undefined) return;
  const incremental = Object.values(sources).some((source) => watermarkColumnOf(source) !== undefined);
  if (incremental && watermarkColumnOf(sources[name]) === undefined) {
    context.log('warn', `${loaded.step} has committed rows that were made with ${name} as it was; it keeps them`);
    return;
  }
  throw new EngineError(
    'ValidationError',
    `${loaded.step} has committed what execution ${loaded.executionId} read, and ${name} cannot be read again exactly as it was: retry that execution without fromStep, or execute the pipeline again`,
  );
}

/**
 * Waits until attempts that nobody heard of when their run ended have learned of it: they hear from Temporal within a
 * heartbeat timeout, and commit nothing after that.
 */
async function untilTold(begun: readonly BegunLoad[], signal: AbortSignal): Promise<void> {
  const untilMs = begun
    .filter(({ told }) => !told)
    .map(({ closedAt, heartbeatTimeoutMs }) => (closedAt?.getTime() ?? 0) + heartbeatTimeoutMs);
  const waitMs = Math.max(0, ...untilMs) - Date.now();
  if (waitMs > 0) await sleep(waitMs, undefined, { signal });
}

function watermarkColumnOf(source: Source | undefined): string | undefined {
  return source?.type === 'jdbc' ? source.watermark_column : undefined;
}
