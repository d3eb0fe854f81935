/** What each type of parameter takes, in words and in code. */
import type { ParameterType, ParameterValue } from './parameters.ts';

const MAX_TEXT = 10_000;

interface TypeRule {
  /** After `expected`. */
  expected: string;
  /** The value as it is kept; undefined when it is not of the type. */
  read: (value: unknown) => ParameterValue['value'] | undefined;
  /** Stands for a value that only a run will give, while the rest of a document is checked. */
  example: ParameterValue['value'];
}

export const TYPE_RULES: Readonly<Record<ParameterType, TypeRule>> = {
  string: {
    expected: `text of at most ${MAX_TEXT} characters`,
    read: (value) => (typeof value === 'string' && value.length <= MAX_TEXT && isStorable(value) ? value : undefined),
    example: 'example',
  },
  int: {
    expected: 'a whole number within ±(2^53 - 1) (int)',
    read: (value) => (Number.isSafeInteger(value) ? (value as number) : undefined),
    example: 1,
  },
  float: {
    expected: 'a number (float)',
    read: (value) => (Number.isFinite(value) ? (value as number) : undefined),
    example: 1,
  },
  boolean: {
    expected: 'true or false (boolean)',
    read: (value) => (typeof value === 'boolean' ? value : undefined),
    example: true,
  },
  date: {
    expected: 'a date such as 2001-01-31',
    read: (value) => (typeof value === 'string' ? readDate(value) : undefined),
    example: '2001-01-01',
  },
  timestamp: {
    expected: 'a timestamp such as 2001-01-31T06:00:00Z or 2001-01-31T06:00:00+02:00',
    read: (value) => (typeof value === 'string' ? readTimestamp(value) : undefined),
    example: '2001-01-01T00:00:00Z',
  },
};

/** The type of a default that stands alone. */
export function typeOfBareDefault(value: string | number | boolean): ParameterType {
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'boolean';
  return Number.isInteger(value) ? 'int' : 'float';
}

/** PostgreSQL keeps neither NUL nor half of a surrogate pair. */
function isStorable(text: string): boolean {
  return !text.includes('\u0000') && text.isWellFormed();
}

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;

/** A day of the calendar, years 1 to 9999. */
function readDate(text: string): string | undefined {
  const [, year = '', month = '', day = ''] = DATE.exec(text) ?? [];
  if (year === '' || year === '0000') return undefined;
  const atMs = Date.UTC(Number(year), Number(month) - 1, Number(day));
  // Date.UTC takes the years 0 to 99 for 1900 to 1999; leap years repeat after 400.
  const sameCalendarMs = Number(year) < 100 ? Date.UTC(Number(year) + 2000, Number(month) - 1, Number(day)) : atMs;
  return new Date(sameCalendarMs).toISOString().slice(5, 10) === `${month}-${day}` ? text : undefined;
}

const TIMESTAMP = /^(\d{4}-\d{2}-\d{2})T(\d{2}):(\d{2})(?::(\d{2})(?:\.\d{1,6})?)?(?:Z|[+-](\d{2}):(\d{2}))?$/;
const HAS_OFFSET = /(?:Z|[+-]\d{2}:\d{2})$/;

/** With an offset; without one it is taken for UTC and says so from then on. Microseconds at most, as SQL has them. */
function readTimestamp(text: string): string | undefined {
  const match = TIMESTAMP.exec(text);
  if (match === null) return undefined;
  const [, date = '', hour, minute, second = '0', offsetHour = '0', offsetMinute = '0'] = match;
  const inRange =
    Number(hour) <= 23 &&
    Number(minute) <= 59 &&
    Number(second) <= 59 &&
    Number(offsetHour) <= 15 &&
    Number(offsetMinute) <= 59;
  if (!inRange || readDate(date) === undefined) return undefined;
  return HAS_OFFSET.test(text.slice(10)) ? text : `${text}Z`;
}
