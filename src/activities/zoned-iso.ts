/**
 * An instant as ISO 8601 with the offset that a time zone has then, such as `2001-03-25T00:00:00.000+01:00`: its first
 * part is what a clock on the wall there shows.
 */
export function zonedIso(instant: Date, timezone: string): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZone: timezone, timeZoneName: 'longOffset' }).formatToParts(
    instant,
  );
  const name = parts.find(({ type }) => type === 'timeZoneName')?.value ?? 'GMT';
  const [, sign = '+', hours = '00', minutes = '00', seconds = '00'] =
    /GMT([+-])(\d{2}):(\d{2})(?::(\d{2}))?/.exec(name) ?? [];
  const offsetSeconds = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  const offsetMs = (sign === '-' ? -1000 : 1000) * offsetSeconds;
  const wall = new Date(instant.getTime() + offsetMs).toISOString().slice(0, -1);
  return `${wall}${sign}${hours}:${minutes}`;
}
