import { Counter, Gauge, Histogram, type Metric } from 'prom-client';
import { expect, test } from 'vitest';
import { createMetrics } from '../../../src/metrics/metrics.ts';
import { readDocument, tableRows } from '../../support/markdown.ts';

function typeOf(metric: object): string {
  if (metric instanceof Counter) return 'counter';
  if (metric instanceof Gauge) return 'gauge';
  return metric instanceof Histogram ? 'histogram' : 'unknown';
}

test("the operators' table of metrics, when metrics change, has each with its type, labels and meaning", async () => {
  const ours = Object.values(createMetrics()).filter((value) => typeOf(value) !== 'unknown') as unknown as (Metric & {
    name: string;
    help: string;
    labelNames: string[];
  })[];
  const expected = ours.map((metric) => [
    `\`${metric.name}\``,
    typeOf(metric),
    metric.labelNames.map((label) => `\`${label}\``).join(', '),
    metric.help,
  ]);
  expect(tableRows(await readDocument('docs/operations.md'), 'metric')).toEqual(expected);
});
