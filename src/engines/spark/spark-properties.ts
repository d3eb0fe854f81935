/** The properties of a job: what the definition sets, and what the service itself does. */
import { EngineError } from '../../errors.ts';
import type { JsonObject } from '../../schemas/json.ts';
import { asciiJson } from './ascii-json.ts';
import { CONTEXT_PROPERTY } from './spark-submitter.ts';

/** Linux takes an argument of a program up to 128 KiB, and the property is one of the driver's. */
const CONTEXT_LIMIT_BYTES = 100_000;

const MEMORY = { form: /^\s*\d+([kmgtp]?b?)\s*$/i, expected: 'a whole number and a unit, such as 512m or 4g' };
const COUNT = { form: /^\d{1,9}$/, expected: 'a whole number, such as 2' };
/** Those that a standalone master reads before it makes a driver: of one that is wrong it tells neither the name nor why. */
const READ_BY_THE_MASTER: Record<string, typeof MEMORY> = {
  'spark.driver.memory': MEMORY,
  'spark.executor.memory': MEMORY,
  'spark.driver.cores': COUNT,
  'spark.cores.max': COUNT,
};

/** @throws EngineError `ValidationError` for a property that is not the definition's to set, or that Spark could not read */
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
  for (const [name, value] of Object.entries(conf)) {
    if (!/^\S+$/.test(name)) {
      throw new EngineError(
        'ValidationError',
        `conf: expected names of Spark's properties, not ${JSON.stringify(name)}`,
      );
    }
    const { form, expected } = READ_BY_THE_MASTER[name] ?? {};
    if (form?.test(value) === false)
      throw new EngineError('ValidationError', `conf: ${name}: expected ${expected ?? ''}`);
  }
  const text = asciiJson(context);
  if (Buffer.byteLength(text) > CONTEXT_LIMIT_BYTES) {
    throw new EngineError('UnsupportedError', `the step has so many inputs that Spark cannot be told of all of them`);
  }
  return { 'spark.app.name': jobName, ...conf, [CONTEXT_PROPERTY]: text };
}
