import { expect, test } from 'vitest';
import { sparkProperties } from '../../../src/engines/spark/spark-properties.ts';

test.each([
  [
    { 'spark.driver.memory': 'lots' },
    'conf: spark.driver.memory: expected a whole number and a unit, such as 512m or 4g',
  ],
  [{ 'spark.executor.memory': '-1g' }, 'conf: spark.executor.memory: expected a whole number and a unit'],
  [{ 'spark.cores.max': 'x' }, 'conf: spark.cores.max: expected a whole number, such as 2'],
  [{ '': 'y' }, 'conf: expected names of Spark\'s properties, not ""'],
  [{ 'spark.a b': 'y' }, 'conf: expected names of Spark\'s properties, not "spark.a b"'],
])('a property of a job, when it is %j, is refused by its name', (conf, message) => {
  expect(() => sparkProperties('job', conf, {})).toThrow(message);
});

test('properties of a job, when Spark can read them, are handed on as they are', () => {
  const conf = {
    'spark.driver.memory': '512m',
    'spark.executor.memory': '1GB',
    'spark.cores.max': '8',
    'other.name': '$(x)',
  };
  expect(sparkProperties('job', conf, {})).toEqual({
    'spark.app.name': 'job',
    ...conf,
    'spark.pipeline.context': '{}',
  });
});
