import { EngineError } from '../../errors.ts';

/** More than any answer that a step reads whole. */
const LIMIT_BYTES = 10 * 1024 * 1024;

/** @throws EngineError `ValidationError` when it is longer than 10 MiB, which only a result can be */
export async function boundedText(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  if (response.body === null) return '';
  for await (const part of response.body as AsyncIterable<Uint8Array>) {
    bytes += part.byteLength;
    if (bytes > LIMIT_BYTES) {
      throw new EngineError(
        'ValidationError',
        'Airflow answered with more than 10 MiB; a result is a reference, not data',
      );
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}
