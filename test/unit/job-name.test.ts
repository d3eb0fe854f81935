import { expect, test } from 'vitest';
import { jobName, jobPrefix } from '../../src/engines/job-name.ts';

test("A job's name, when it is computed again, is the same, and another for every step, workflow and generation", () => {
  const name = jobName('pipeline-pl_1-2026-02-12T06:00:00Z', 'transform:daily', 1);
  // printf 'pipeline-pl_1-2026-02-12T06:00:00Z/transform:daily' | sha256sum | cut -c1-20
  expect(name).toBe('ps-0e6b9b1d14a670736803-g1');
  expect(jobName('pipeline-pl_1-2026-02-12T06:00:00Z', 'transform:daily', 2)).toBe(`${name.slice(0, -1)}2`);
  expect(jobName('pipeline-pl_1-2026-02-12T06:00:00Z', 'transform:weekly', 1)).not.toBe(name);
  expect(jobName('pipeline-pl_2-2026-02-12T06:00:00Z', 'transform:daily', 1)).not.toBe(name);
  expect(name.startsWith(jobPrefix('pipeline-pl_1-2026-02-12T06:00:00Z', 'transform:daily'))).toBe(true);
});
