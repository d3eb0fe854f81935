/** The properties of a job: what the definition sets, and what the service itself does. */
import { EngineError } from '../../errors.ts';
import type { JsonObject } from '../../schemas/json.ts';
import { asciiJson } from './ascii-json.ts';
import { CONTEXT_PROPERTY } from './spark-submitter.ts';

/** Linux takes an argument of a program up to 128 KiB, and the property is one of the driver's. */
const CONTEXT_LIMIT_BYTES = 100_000;

/** @throws EngineError `ValidationError` for a property that is not the definition's to set */
export function sparkProperties(
  jobName: string,
  conf: Readonly<Record<string, string>>,
  context: JsonObject,
): Record<string, string> {
  if (CONTEXT_PROPERTY in conf) {
    throw new EngineError('ValidationError', `conf: ${CONTEXT_PROPERTY} is not to be set; the service itself fills it`);
  }
  if (conf['spark.driver.supervise']?.toLowerCase() === 'true') {
    throw new EngineError(
      'ValidationError',
      'conf: spark.driver.supervise makes Spark run an application again by itself; the retries of the step do that',
    );
  }
  const text = asciiJson(context);
  if (Buffer.byteLength(text) > CONTEXT_LIMIT_BYTES) {
    throw new EngineError('UnsupportedError', `the step has so many inputs that Spark cannot be told of all of them`);
  }
  return { 'spark.app.name': jobName, ...conf, [CONTEXT_PROPERTY]: text };
}
