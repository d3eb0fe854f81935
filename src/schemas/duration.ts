import * as z from 'zod';

const MS_BY_UNIT = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
/** Ten years: timers and timestamps stay far within what Temporal and PostgreSQL can hold. */
const LONGEST_MS = 3650 * MS_BY_UNIT.d;
const PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/gy;

/** Milliseconds of `4h`, `90s`, `1h30m`, `250ms`; undefined when the text is no duration. */
export function parseDurationMs(text: string): number | undefined {
  let totalMs = 0;
  let end = 0;
  for (const match of text.matchAll(PART)) {
    totalMs += Number(match[1]) * MS_BY_UNIT[match[2] as keyof typeof MS_BY_UNIT];
    end = match.index + match[0].length;
  }
  return end === text.length && end > 0 && totalMs > 0 ? Math.round(totalMs) : undefined;
}

/** A duration in a document: a string such as `4h`, kept as written; read it with {@link parseDurationMs}. */
export const duration = z
  .string()
  .refine((text) => parseDurationMs(text) !== undefined, {
    error: 'expected a duration such as 30s, 15m, 4h or 1h30m',
    abort: true,
  })
  .refine((text) => (parseDurationMs(text) ?? 0) <= LONGEST_MS, 'expected a duration of at most 3650d');

/** Milliseconds of a duration that a schema has already accepted. */
export function durationMs(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined) throw new TypeError(`not a duration: ${text}`);
  return ms;
}

/** `5m 23s`, `1h 2m`, `420ms`: the two largest units, as `/status` shows times (spec section 4). */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))}ms`;
  const seconds = Math.floor(ms / 1000);
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join(' ');
}
