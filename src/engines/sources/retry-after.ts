/**
 * How long a server asks to wait by `Retry-After` (RFC 9110, section 10.2.3): seconds, or an HTTP date.
 *
 * @returns milliseconds, 0 for a time that has passed; undefined when the header is missing or says neither
 */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const untilMs = /^[A-Z][a-z]{2,8},? /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(untilMs) ? undefined : Math.max(0, untilMs - nowMs);
}
