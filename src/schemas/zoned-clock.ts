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

/**
 * An instant as ISO 8601 with the offset that the zone has then, such as `2001-03-25T00:00:00.000+01:00`: its first part
 * is what a clock on the wall there shows.
 */
export function zonedIso(instant: Date, timezone: string): string {
  const offsetMs = zoneOffsetMs(timezone, instant.getTime());
  const wall = new Date(instant.getTime() + offsetMs).toISOString().slice(0, -1);
  const minutes = Math.floor(Math.abs(offsetMs) / 60_000);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${wall}${offsetMs < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
