/** What `options` of a `file` source may say, by format, and how DuckDB's readers are told. */
import { EngineError } from '../../errors.ts';
import type { FileSource } from '../../schemas/definition.ts';
import type { Fault } from '../../schemas/fault.ts';
import { quoteIdentifier, quoteLiteral } from '../duckdb/quote.ts';

type Options = NonNullable<FileSource['options']>;
type OptionValue = Options[string];
type Kind = 'text' | 'separator' | 'flag' | 'count' | 'texts' | 'types';

interface Option {
  /** DuckDB's name of it. */
  name: string;
  kind: Kind;
}

const CSV: Readonly<Record<string, Option>> = {
  delimiter: { name: 'delim', kind: 'separator' },
  delim: { name: 'delim', kind: 'separator' },
  sep: { name: 'delim', kind: 'separator' },
  header: { name: 'header', kind: 'flag' },
  quote: { name: 'quote', kind: 'text' },
  escape: { name: 'escape', kind: 'text' },
  comment: { name: 'comment', kind: 'text' },
  skip: { name: 'skip', kind: 'count' },
  encoding: { name: 'encoding', kind: 'text' },
  nullstr: { name: 'nullstr', kind: 'texts' },
  dateformat: { name: 'dateformat', kind: 'text' },
  timestampformat: { name: 'timestampformat', kind: 'text' },
  decimal_separator: { name: 'decimal_separator', kind: 'text' },
  columns: { name: 'columns', kind: 'types' },
  types: { name: 'types', kind: 'types' },
  all_varchar: { name: 'all_varchar', kind: 'flag' },
  null_padding: { name: 'null_padding', kind: 'flag' },
  hive_partitioning: { name: 'hive_partitioning', kind: 'flag' },
};

const JSON_OPTIONS: Readonly<Record<string, Option>> = {
  columns: { name: 'columns', kind: 'types' },
  dateformat: { name: 'dateformat', kind: 'text' },
  timestampformat: { name: 'timestampformat', kind: 'text' },
  maximum_object_size: { name: 'maximum_object_size', kind: 'count' },
  hive_partitioning: { name: 'hive_partitioning', kind: 'flag' },
};

const PARQUET: Readonly<Record<string, Option>> = {
  hive_partitioning: { name: 'hive_partitioning', kind: 'flag' },
  binary_as_string: { name: 'binary_as_string', kind: 'flag' },
};

const BY_FORMAT = { csv: CSV, json: JSON_OPTIONS, parquet: PARQUET };

/** Options by DuckDB's names, checked. */
export type ReaderOptions = Readonly<Record<string, OptionValue>>;

/** @throws EngineError `ValidationError` for an option that the format does not have, or a value of a wrong kind */
export function readerOptions(format: FileSource['format'], options: Options = {}): ReaderOptions {
  const known = BY_FORMAT[format];
  const [fault] = optionFaults(format, options);
  if (fault !== undefined) throw new EngineError('ValidationError', `options.${fault.path}: ${fault.message}`);
  return Object.fromEntries(Object.entries(options).map(([key, value]) => [known[key]?.name ?? key, value]));
}

/** What is wrong with the options themselves, whatever the file is like; paths are their names. */
export function optionFaults(format: FileSource['format'], options: Options = {}): Fault[] {
  const known = BY_FORMAT[format];
  return Object.entries(options).flatMap(([key, value]): Fault[] => {
    const option = Object.hasOwn(known, key) ? known[key] : undefined;
    if (option === undefined) {
      return [{ path: key, message: `${format} has no such option; it has ${Object.keys(known).join(', ')}` }];
    }
    return matches(value, option.kind) ? [] : [{ path: key, message: `expected ${WANTED[option.kind]}` }];
  });
}

const WANTED: Readonly<Record<Kind, string>> = {
  text: 'text',
  separator: 'one to four characters',
  flag: 'true or false',
  count: 'a whole number',
  texts: 'text or a list of texts',
  types: 'an object of column names and their types',
};

function matches(value: OptionValue, kind: Kind): boolean {
  switch (kind) {
    case 'text':
      return typeof value === 'string';
    case 'separator':
      return typeof value === 'string' && value.length > 0 && value.length <= 4;
    case 'flag':
      return typeof value === 'boolean';
    case 'count':
      return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
    case 'texts':
      return typeof value === 'string' || Array.isArray(value);
    case 'types':
      return typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length > 0;
  }
}

/** `read_csv(['/a', '/b'], delim = ';', …)`: every text quoted, since table functions in COPY bind no values. */
export function readerCall(name: string, files: readonly string[], options: ReaderOptions): string {
  const settings = Object.entries(options).map(([key, value]) => `, ${key} = ${optionSql(value)}`);
  return `${name}([${files.map(quoteLiteral).join(', ')}]${settings.join('')})`;
}

function optionSql(value: OptionValue): string {
  if (typeof value === 'string') return quoteLiteral(value);
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return `[${value.map(quoteLiteral).join(', ')}]`;
  const types = Object.entries(value).map(([column, type]) => `${quoteIdentifier(column)}: ${quoteLiteral(type)}`);
  return `{${types.join(', ')}}`;
}
