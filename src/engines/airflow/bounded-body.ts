import type { Readable } from 'node:stream';
import { EngineError } from '../../errors.ts';
import { AnswerTooLarge, type HttpAnswer, wholeBody } from '../http-exchange.ts';

/** More than any answer that a step reads whole. */
const LIMIT_BYTES = 10 * 1024 * 1024;

/** @throws EngineError `ValidationError` when it is longer than 10 MiB, which only a result can be */
export async function boundedText(answer: HttpAnswer<Readable>): Promise<string> {
  try {
    return (await wholeBody(answer, LIMIT_BYTES)).toString();
  } catch (error) {
    if (!(error instanceof AnswerTooLarge)) throw error;
    throw new EngineError(
      'ValidationError',
      'Airflow answered with more than 10 MiB; a result is a reference, not data',
    );
  }
}
