/** The five fields of cron, as POSIX's crontab has them, with steps (every n-th) and names of months and days. */
const FIELDS = [
  { name: 'minute', from: 0, to: 59, names: [] },
  { name: 'hour', from: 0, to: 23, names: [] },
  { name: 'day of the month', from: 1, to: 31, names: [] },
  {
    name: 'month',
    from: 1,
    to: 12,
    names: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  },
  // 0 and 7 are both Sunday.
  { name: 'day of the week', from: 0, to: 7, names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
] as const;
type Field = (typeof FIELDS)[number];

/** The fault of a cron expression in words; undefined when it is one. */
export function checkCron(cron: string): string | undefined {
  const written = cron.trim().split(/\s+/);
  if (written.length !== FIELDS.length) {
    return `expected five fields (minute, hour, day of the month, month, day of the week), got ${written.length}`;
  }
  const index = FIELDS.findIndex((field, at) => !(written[at] ?? '').split(',').every((part) => isPart(part, field)));
  const field = FIELDS[index];
  return (
    field &&
    `expected ${field.name} (${field.from} to ${field.to}, *, a-b, a,b or */n) as field ${index + 1}, got ${written[index] ?? ''}`
  );
}

/** `*`, `5`, `mon-fri`, `0-30/10`, … */
function isPart(part: string, field: Field): boolean {
  const match = /^(?:\*|([a-z]+|\d{1,2})(?:-([a-z]+|\d{1,2}))?)(?:\/([1-9]\d?))?$/i.exec(part);
  if (match === null) return false;
  const [, first, last] = match;
  if (first === undefined) return true;
  const from = valueOf(first, field);
  const to = last === undefined ? from : valueOf(last, field);
  return from !== undefined && to !== undefined && from <= to;
}

function valueOf(text: string, { from, to, names }: Field): number | undefined {
  const named = (names as readonly string[]).indexOf(text.toLowerCase());
  if (named >= 0) return from + named;
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  return value >= from && value <= to ? value : undefined;
}
