/** Values as DuckDB writes them in text (statistics of COPY, partition keys), read into the form of `value.ts`. */
import { EngineError } from '../../errors.ts';
import { parsePrimitive, type PrimitiveType } from './schema.ts';
import type { IcebergValue } from './value.ts';

const MICROS_PER_SECOND = 1_000_000n;
const SECONDS_PER_DAY = 86_400n;
const DATE = /^(\d{1,7})-(\d{2})-(\d{2})/;
const TIME = /(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?/;
/** Timestamps with time zone are told in the session's zone, with its offset. */
const OFFSET = /([+-])(\d{2})(?::(\d{2}))?(?::(\d{2}))?$/;

/** @throws EngineError `ValidationError` for a value that Iceberg has no place for, such as the date `infinity` */
export function parseDuckDbText(type: PrimitiveType, text: string): IcebergValue {
  const primitive = parsePrimitive(type);
  switch (primitive.kind) {
    case 'boolean':
      return text === 'true' || text === '1';
    case 'int':
    case 'long':
      return BigInt(text);
    case 'float':
    case 'double':
      return parseFloatText(text);
    case 'decimal':
      return parseDecimal(text, primitive.scale);
    case 'date':
      return daysOf(text);
    case 'time':
      return microsOfDay(text);
    case 'timestamp':
      return daysOf(text) * SECONDS_PER_DAY * MICROS_PER_SECOND + microsOfDay(text);
    case 'timestamptz':
      return daysOf(text) * SECONDS_PER_DAY * MICROS_PER_SECOND + microsOfDay(text) - offsetMicros(text);
    case 'string':
      return text;
    case 'uuid':
      return Buffer.from(text.replaceAll('-', ''), 'hex');
    case 'fixed':
    case 'binary':
      return Buffer.from(text, 'hex');
  }
}

function parseFloatText(text: string): number {
  if (text === 'inf') return Infinity;
  if (text === '-inf') return -Infinity;
  return Number(text);
}

function parseDecimal(text: string, scale: number): bigint {
  const [whole = '0', fraction = ''] = text.split('.');
  const digits = BigInt(`${whole.replace('-', '')}${fraction.padEnd(scale, '0')}`);
  return text.startsWith('-') ? -digits : digits;
}

function daysOf(text: string): bigint {
  const match = DATE.exec(text);
  if (match === null) {
    throw new EngineError('ValidationError', `an Iceberg table cannot hold the date or time ${text}`);
  }
  const year = text.includes('(BC)') ? 1 - Number(match[1]) : Number(match[1]);
  return BigInt(daysFromCivil(year, Number(match[2]), Number(match[3])));
}

/**
 * Days since 1970-01-01 in the proleptic Gregorian calendar; JavaScript's Date ends long before Iceberg's dates do.
 * Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March, so that the leap day ends them.
 */
function daysFromCivil(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function microsOfDay(text: string): bigint {
  const match = TIME.exec(text);
  if (match === null) throw new TypeError(`not a time of day: ${text}`);
  const [, hours = '', minutes = '', seconds = '', fraction = ''] = match;
  const wholeSeconds = (BigInt(hours) * 60n + BigInt(minutes)) * 60n + BigInt(seconds);
  return wholeSeconds * MICROS_PER_SECOND + BigInt(fraction.padEnd(6, '0'));
}

function offsetMicros(text: string): bigint {
  const match = OFFSET.exec(text.replace(' (BC)', ''));
  if (match === null) throw new TypeError(`no offset: ${text}`);
  const [, sign, hours = '0', minutes = '0', seconds = '0'] = match;
  const offset = ((BigInt(hours) * 60n + BigInt(minutes)) * 60n + BigInt(seconds)) * MICROS_PER_SECOND;
  return sign === '-' ? -offset : offset;
}
