import { open } from 'node:fs/promises';
import { constants, gunzipSync } from 'node:zlib';

/** Enough for a header of thousands of columns. */
const HEAD_BYTES = 65_536;
const DELIMITERS = [',', ';', '\t', '|'];

/**
 * The line of a CSV file that carries its header, without its line end; undefined when the file ends before it.
 *
 * @param skip lines above it that are not read
 * @param encoding as the user names it: utf-8, utf-16, latin-1
 */
export async function headerLine(path: string, skip: number, encoding: string): Promise<string | undefined> {
  const bytes = await firstBytes(path);
  const text = new TextDecoder(encodingLabel(encoding)).decode(bytes);
  const line = text.split(/\r\n|\n|\r/, skip + 1)[skip];
  return line === '' && text.length <= skip + 1 ? undefined : line;
}

async function firstBytes(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(HEAD_BYTES) });
    const head = buffer.subarray(0, bytesRead);
    if (!path.endsWith('.gz') || bytesRead === 0) return head;
    // The head of a gzip file has no end; take what is there. A kilobyte can unpack to a megabyte, not to more.
    return gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch (error) {
    // No gzip at all: DuckDB says so when it reads it.
    if ((error as NodeJS.ErrnoException).code?.startsWith('Z_') === true) return Buffer.from(',');
    throw error;
  } finally {
    await file.close();
  }
}

function encodingLabel(encoding: string): string {
  if (/^latin-?1$/i.test(encoding)) return 'latin1';
  return /^utf-?16$/i.test(encoding) ? 'utf-16le' : 'utf-8';
}

/** The separator that the header uses most; a file of one column has none, and is read as if it were commas. */
export function guessDelimiter(header: string): string {
  const counts = DELIMITERS.map((delimiter) => countFields(header, delimiter, '"'));
  const most = Math.max(...counts);
  return DELIMITERS[counts.indexOf(most)] ?? ',';
}

/** Fields of a line; a delimiter between quotes separates nothing. */
export function countFields(line: string, delimiter: string, quote: string): number {
  const unquoted =
    quote === ''
      ? line
      : line
          .split(quote)
          .filter((_, at) => at % 2 === 0)
          .join('');
  return unquoted.split(delimiter).length;
}
