/**
 * A range of time cut into partitions (spec section 2, DataBackfillWorkflow). They lie side by side and cover exactly the
 * range; what is between two of them is a boundary of the time zone's own calendar: a full hour, midnight, midnight of a
 * Monday, of the first of a month. Only the range's own ends may be elsewhere, so the first and the last one may be shorter.
 *
 * Where clocks change, a day has 23 or 25 hours. A midnight that does not exist is the moment at which the clocks jump
 * over it; of one that occurs twice the first one counts. An hour is an hour that passes: one that clocks show twice is two
 * partitions, one that they skip is none.
 */
import { zoneOffsetMs } from './zoned-clock.ts';

export type PartitionSize = 'hour' | 'day' | 'week' | 'month';

/** Half-open, milliseconds since 1970. */
export interface TimeRange {
  startMs: number;
  endMs: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** 1970-01-01 was a Thursday. */
const FIRST_MONDAY_MS = 4 * DAY_MS;

/** In the order of time. As many as the range has: who asks stops at a limit of their own. */
export function* partitionsOf(range: TimeRange, size: PartitionSize, timezone: string): Generator<TimeRange> {
  let { startMs } = range;
  while (startMs < range.endMs) {
    const endMs = Math.min(nextBoundary(startMs, size, timezone), range.endMs);
    yield { startMs, endMs };
    startMs = endMs;
  }
}

/** The first boundary after an instant. */
function nextBoundary(afterMs: number, size: PartitionSize, timezone: string): number {
  if (size === 'hour') return nextHour(afterMs, timezone);
  // Calendars are reckoned on what clocks show, as if that were UTC.
  let wallMs = nextWall(afterMs + zoneOffsetMs(timezone, afterMs), size);
  for (;;) {
    const boundaryMs = firstInstantAt(wallMs, timezone);
    // After clocks went back over midnight they show the day before once more: its boundary has been.
    if (boundaryMs > afterMs) return boundaryMs;
    wallMs = nextWall(wallMs, size);
  }
}

function nextWall(wallMs: number, size: Exclude<PartitionSize, 'hour'>): number {
  if (size === 'day') return (Math.floor(wallMs / DAY_MS) + 1) * DAY_MS;
  if (size === 'week') {
    return (Math.floor((wallMs - FIRST_MONDAY_MS) / (7 * DAY_MS)) + 1) * 7 * DAY_MS + FIRST_MONDAY_MS;
  }
  const at = new Date(wallMs);
  const next = new Date(0);
  next.setUTCFullYear(at.getUTCFullYear(), at.getUTCMonth() + 1, 1);
  return next.getTime();
}

function nextHour(afterMs: number, timezone: string): number {
  const offsetMs = zoneOffsetMs(timezone, afterMs);
  const nextMs = afterMs + HOUR_MS - modulo(afterMs + offsetMs, HOUR_MS);
  if (zoneOffsetMs(timezone, nextMs) === offsetMs) return nextMs;
  const changeMs = firstMsWhere(afterMs, nextMs, (atMs) => zoneOffsetMs(timezone, atMs) !== offsetMs);
  const beyondMs = modulo(changeMs + zoneOffsetMs(timezone, changeMs), HOUR_MS);
  return beyondMs === 0 ? changeMs : changeMs + HOUR_MS - beyondMs;
}

/** The first instant at which clocks show this, or more. No zone changes its clocks twice within two days. */
export function firstInstantAt(wallMs: number, timezone: string): number {
  const beforeMs = zoneOffsetMs(timezone, wallMs - DAY_MS);
  const afterMs = zoneOffsetMs(timezone, wallMs + DAY_MS);
  if (beforeMs === afterMs) return wallMs - beforeMs;
  const shown = (atMs: number) => atMs + zoneOffsetMs(timezone, atMs);
  if (shown(wallMs - beforeMs) === wallMs) return wallMs - beforeMs;
  if (shown(wallMs - afterMs) === wallMs) return wallMs - afterMs;
  // Clocks jump over it, so the earlier of the two is before the jump.
  const [earliestMs, latestMs] = [wallMs - Math.max(beforeMs, afterMs), wallMs - Math.min(beforeMs, afterMs)];
  return firstMsWhere(earliestMs, latestMs, (atMs) => shown(atMs) >= wallMs);
}

/** The first millisecond after `low`, up to `high`, from which on something holds. */
function firstMsWhere(lowMs: number, highMs: number, holds: (atMs: number) => boolean): number {
  let [low, high] = [lowMs, highMs];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}

function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}
