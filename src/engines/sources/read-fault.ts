/** What DuckDB says about a file that it cannot read, as something that its owner can act on. */
import { EngineError } from '../../errors.ts';
import type { ResolvedFile } from './file-roots.ts';
import { basename } from 'node:path';

/** Types that DuckDB guessed from a file's first rows and then met something else. */
export function isWrongGuess(error: unknown): boolean {
  return (
    isValidation(error) &&
    ((error.message.includes('Error when converting column') && error.message.includes('auto-detected')) ||
      error.message.includes('JSON transform error'))
  );
}

/** DuckDB could not make out the columns at all, and names no line. */
export function isSniffFault(error: unknown): boolean {
  return isValidation(error) && error.message.includes('Error when sniffing file');
}

function isValidation(error: unknown): error is EngineError {
  return error instanceof EngineError && error.type === 'ValidationError';
}

/** The same error in the user's terms: the file as they wrote it, the line, what to do. Never the data of the line. */
export function readFault(error: unknown, files: readonly ResolvedFile[]): unknown {
  if (!isValidation(error)) return error;
  const { message } = error;
  const line = /CSV Error on Line: (\d+)/.exec(message)?.[1] ?? /\bin line (\d+)/.exec(message)?.[1];
  const place = `${shownName(message, files)}${line === undefined ? '' : `, line ${line}`}`;
  return new EngineError('ValidationError', `${place}: ${explain(message)}`);
}

function explain(message: string): string {
  const fields = /Expected Number of Columns: (\d+) Found: (\d+)/.exec(message);
  if (fields !== null) {
    const found = fields[2] === '1' ? '1 field' : `${fields[2] ?? ''} fields`;
    return `${found} where the header has ${fields[1] ?? ''}; mend the line, quote fields that hold the delimiter, or set options.null_padding for short lines`;
  }
  const conversion = /Error when converting column "([^"\n]*)"\. Could not convert string [^]*? to '([^'\n]+)'/.exec(
    message,
  );
  if (conversion !== null) {
    return `a value of column ${conversion[1] ?? ''} is no ${conversion[2] ?? ''}; mend it, or give the column another type in options.types`;
  }
  if (/not a GZIP stream/i.test(message))
    return 'this is not gzip, though its name says so; rename it, or compress it again';
  if (message.includes('state machine reached an invalid state')) {
    return 'its lines end in different ways (\\r\\n and \\n mixed); write it with one kind of line end';
  }
  if (message.includes('Invalid unicode')) return 'the text is not UTF-8; set options.encoding (latin-1, utf-16)';
  if (/unterminated quote/i.test(message)) return 'a quoted field has no end; close the quote, or set options.quote';
  const malformed = /Malformed JSON in file .*?: ([^.\n]*)/.exec(message);
  if (malformed !== null)
    return `malformed JSON: ${(malformed[1] ?? '').trim()}; expected an array of objects, or one object a line`;
  if (/too small to be a Parquet|No magic bytes|Parquet magic/i.test(message)) {
    return 'this is no Parquet file; set format to what it is, or write it again';
  }
  if (message.includes('Error when sniffing file')) {
    return 'its columns cannot be told apart; compare options.columns, delimiter, quote and encoding with the file';
  }
  return (message.split('\n', 1)[0] ?? message).replace(/^[A-Za-z ]+ Error: /, '');
}

function shownName(message: string, files: readonly ResolvedFile[]): string {
  const named = files.find((file) => message.includes(basename(file.path))) ?? files[0];
  return named === undefined || (files.length > 1 && !message.includes(basename(named.path)))
    ? `one of ${files.length} files`
    : named.shown;
}
