/** What clocks on the wall show in a time zone, by the runtime's own tables (IANA's). */

/** Making one takes longer than asking it; a process meets few zones. */
const formats = new Map<string, Intl.DateTimeFormat>();

/** Milliseconds that the zone's clocks are ahead of UTC at an instant (milliseconds since 1970). */
export function zoneOffsetMs(timezone: string, atMs: number): number {
  let format = formats.get(timezone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', { timeZone: timezone, timeZoneName: 'longOffset' });
    formats.set(timezone, format);
  }
  const name = format.formatToParts(atMs).find(({ type }) => type === 'timeZoneName')?.value ?? 'GMT';
  const [, sign, hours = '0', minutes = '0', seconds = '0'] = /GMT([+-])(\d{2}):(\d{2})(?::(\d{2}))?/.exec(name) ?? [];
  const offsetMs = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
  return sign === '-' ? -offsetMs : offsetMs;
}

const DAY_MS = 24 * 3_600_000;

/**
 * An instant as ISO 8601 with the offset that the zone has then, such as `2001-03-25T00:00:00.000+01:00`: its first part
 * is what a clock on the wall there shows. Where clocks jump over midnight it is the midnight that they leave out, with the
 * offset to go by then (`2017-10-15T00:00:00.000-03:00`, not 01:00 and -02:00), so that a date is on its own day.
 */
export function zonedIso(instant: Date, timezone: string): string {
  const offsetMs = writtenOffsetMs(instant.getTime(), timezone);
  const wall = new Date(instant.getTime() + offsetMs).toISOString().slice(0, -1);
  const minutes = Math.floor(Math.abs(offsetMs) / 60_000);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${wall}${offsetMs < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

function writtenOffsetMs(atMs: number, timezone: string): number {
  const offsetMs = zoneOffsetMs(timezone, atMs);
  const midnightMs = Math.floor((atMs + offsetMs) / DAY_MS) * DAY_MS;
  const isAfter = midnightMs < atMs + offsetMs;
  // A moment ago clocks showed the day before, so there was no midnight.
  const isJump = isAfter && atMs - 1 + zoneOffsetMs(timezone, atMs - 1) < midnightMs;
  return isJump ? midnightMs - atMs : offsetMs;
}
