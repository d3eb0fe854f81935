/**
 * The loads of a backfill's partitions that a table has had, as few ranges of time instead of a property for each. A
 * backfill's partitions tile its range and each is loaded under the name `<backfill>.<round>/<start>/<sink>`, so that
 * the union of the intervals that one round has committed says of each partition whether it is among them: its start is
 * in the union exactly if its own load put it there.
 *
 * Looked up, and written, like every other load's name: in the very metadata that the commit is based on, by the commit
 * itself, which happens only if `main` still is what that metadata says. Every commit that changes a ledger moves `main`,
 * so none can be lost to another one, in whatever order partitions end.
 */
import type { Interval } from '../sources/interval.ts';
import type { TableMetadata } from './table-metadata.ts';

const PROPERTY_PREFIX = 'pipeline.partitions.';
const NAME = /^(?<backfill>[^/]+)\.(?<round>\d+)\/(?<start>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d))\/(?<sink>.+)$/;

/** Half-open, milliseconds since 1970. */
type TimeRange = [startMs: number, endMs: number];

/** The value of a round's property, as JSON. */
interface LedgerEntry {
  /** Sorted; none touches the next. */
  ranges: TimeRange[];
  'committed-at-ms': number;
}

/** The backfill that a load is of; undefined for any other load. */
export function backfillOf(loadName: string): string | undefined {
  return NAME.exec(loadName)?.groups?.['backfill'];
}

/** Whether a partition's load was committed, as its backfill's property says. */
export function hasPartition(metadata: TableMetadata, loadName: string): boolean {
  const load = parse(loadName);
  if (load === undefined) return false;
  const { ranges } = readEntry(metadata.properties?.[load.property]);
  return ranges.some(([startMs, endMs]) => startMs <= load.startMs && load.startMs < endMs);
}

/** The property with one more partition; undefined for a load that is no partition's. */
export function withPartition(
  metadata: TableMetadata,
  loadName: string,
  interval: Interval | undefined,
  nowMs: number,
): Record<string, string> | undefined {
  const load = parse(loadName);
  if (load === undefined || interval === undefined) return undefined;
  const added: TimeRange = [load.startMs, Date.parse(interval.endIso)];
  const entry: LedgerEntry = {
    ranges: joined([...readEntry(metadata.properties?.[load.property]).ranges, added]),
    'committed-at-ms': nowMs,
  };
  return { [load.property]: JSON.stringify(entry) };
}

/** When the last partition of a property's round was committed; undefined for another property. */
export function partitionsCommittedAtMs(key: string, value: string): number | undefined {
  return key.startsWith(PROPERTY_PREFIX) ? readEntry(value)['committed-at-ms'] : undefined;
}

function parse(loadName: string): { property: string; startMs: number } | undefined {
  const { backfill, round, start, sink } = NAME.exec(loadName)?.groups ?? {};
  const startMs = Date.parse(start ?? '');
  if (Number.isNaN(startMs)) return undefined;
  return { property: `${PROPERTY_PREFIX}${backfill ?? ''}.${round ?? ''}/${sink ?? ''}`, startMs };
}

/** One that somebody broke has nothing: its partitions replace their rows once more, by the same ones. */
function readEntry(value: string | undefined): Partial<LedgerEntry> & Pick<LedgerEntry, 'ranges'> {
  try {
    const entry = JSON.parse(value ?? '{}') as Partial<LedgerEntry> | null;
    const { ranges, 'committed-at-ms': atMs } = entry ?? {};
    return {
      ranges: Array.isArray(ranges) && ranges.every(isRange) ? ranges : [],
      ...(typeof atMs === 'number' && { 'committed-at-ms': atMs }),
    };
  } catch {
    return { ranges: [] };
  }
}

function isRange(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && value.every((end) => typeof end === 'number');
}

/** Those that touch are one. */
function joined(ranges: readonly TimeRange[]): TimeRange[] {
  const together: TimeRange[] = [];
  for (const [startMs, endMs] of ranges.toSorted(([one], [other]) => one - other)) {
    const last = together.at(-1);
    if (last !== undefined && startMs <= last[1]) last[1] = Math.max(last[1], endMs);
    else together.push([startMs, endMs]);
  }
  return together;
}
