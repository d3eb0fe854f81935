/** What a backfill is asked to do, looked at whole before anything is stored (spec section 2, DataBackfillWorkflow). */
import { ServiceError } from '../errors.ts';
import type { BackfillBody } from '../schemas/api-backfills.ts';
import type { PipelineDefinition, PipelineDocument } from '../schemas/definition.ts';
import type { Fault } from '../schemas/fault.ts';
import { intervalTimes, partitionParameters } from '../schemas/partition-parameters.ts';
import { firstInstantAt, partitionsOf, type PartitionSize, type TimeRange } from '../schemas/partition-range.ts';
import { placeholderNames } from '../schemas/placeholders.ts';
import type { BackfillRow } from '../store/backfills.ts';
import { resolveDefinition } from './resolve-definition.ts';

export interface BackfillPlan {
  document: PipelineDocument;
  range: TimeRange;
  size: PartitionSize;
  timezone: string;
  /** In the order in which they are begun. */
  partitions: TimeRange[];
}

const MAX_PARTITIONS = 100_000;

/**
 * @param raw the document as it is stored
 * @throws ServiceError VALIDATION_FAILED with all faults
 */
export function planBackfill(raw: unknown, body: BackfillBody, submittedAt: Date): BackfillPlan {
  const partitioning = partitioningOf(raw);
  if (partitioning === undefined) {
    throw invalid([{ path: 'definition.partitioning', message: 'is required for backfills: column, size, timezone' }]);
  }
  const { timezone = 'UTC' } = partitioning;
  const size = body.size ?? partitioning.size;
  const range = rangeOf(body, timezone);
  const partitions = listed(range, size, timezone);
  const [first = range] = partitions;
  const document = definitionOver(raw, first, { timezone, submittedAt, parameters: body.parameters });
  const faults = pathFaults(raw, document.definition);
  if (faults.length > 0) throw invalid(faults);
  if (body.order === 'descending') partitions.reverse();
  return { document, range, size, timezone, partitions };
}

/** The document as it is for one interval. */
export function definitionOver(
  raw: unknown,
  interval: TimeRange,
  of: Pick<BackfillRow, 'timezone' | 'submittedAt' | 'parameters'>,
): PipelineDocument {
  const bound = partitionParameters(raw, { ...of, runId: 'backfill', interval });
  if ('faults' in bound) throw invalid(bound.faults);
  return resolveDefinition(raw, bound.values);
}

/** Of a partition, as the API shows it. */
export function shownInterval(range: TimeRange, timezone: string): { start: string; end: string } {
  const { startIso, endIso } = intervalTimes(range, timezone);
  return { start: startIso, end: endIso };
}

function listed(range: TimeRange, size: PartitionSize, timezone: string): TimeRange[] {
  const partitions: TimeRange[] = [];
  for (const partition of partitionsOf(range, size, timezone)) {
    if (partitions.length === MAX_PARTITIONS) {
      const message = `expected at most ${MAX_PARTITIONS} partitions; the range has more of size ${size}`;
      throw invalid([{ path: 'end', message }]);
    }
    partitions.push(partition);
  }
  return partitions;
}

function rangeOf({ start, end }: BackfillBody, timezone: string): TimeRange {
  const instant = (text: string) =>
    text.length === 10 ? firstInstantAt(Date.parse(`${text}T00:00:00Z`), timezone) : Date.parse(text);
  const range = { startMs: instant(start), endMs: instant(end) };
  if (range.startMs < range.endMs) return range;
  throw invalid([{ path: 'end', message: 'expected an end after the start' }]);
}

/** The document was validated when it was registered; its zone may have been left out. */
function partitioningOf(raw: unknown): { size: PartitionSize; timezone?: string } | undefined {
  return (raw as { definition: { partitioning?: { size: PartitionSize; timezone?: string } } }).definition.partitioning;
}

/** Partitions that wrote to one file would each replace what the others wrote. */
function pathFaults(raw: unknown, { sinks }: PipelineDefinition): Fault[] {
  const written = (raw as { definition: { sinks: Record<string, { path?: unknown }> } }).definition.sinks;
  return Object.entries(sinks).flatMap(([name, { type }]) => {
    const path = written[name]?.path;
    if (type !== 'file' || (typeof path === 'string' && placeholderNames(path).includes('interval_start'))) return [];
    const message = 'expected ${interval_start} in it, so that each partition has a file of its own';
    return [{ path: `definition.sinks.${name}.path`, message }];
  });
}

function invalid(faults: Fault[]): ServiceError {
  return new ServiceError('VALIDATION_FAILED', 'The backfill is not valid', faults);
}
