import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createMetrics } from '../../../src/metrics/metrics.ts';
import { scrape } from '../../../src/metrics/scrape.ts';

/** Spec section 6, without those of Node and of the SDK. */
const NAMES = [
  'http_request_duration_seconds',
  'pipeline_approvals_pending',
  'pipeline_backfill_partitions',
  'pipeline_quality_score',
  'pipeline_rows_processed_total',
  'temporal_activity_execution_seconds',
  'temporal_activity_retries_total',
  'temporal_workflow_cancelled_total',
  'temporal_workflow_completed_total',
  'temporal_workflow_duration_seconds',
  'temporal_workflow_failed_total',
  'temporal_workflow_started_total',
];

async function serve(text: string): Promise<string> {
  const server = createServer((_, response) => response.end(text)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
}

test('the metrics, when created, are those of the specification and Node’s own', async () => {
  const names = (await createMetrics().registry.getMetricsAsJSON()).map(({ name }) => name);

  expect(names.filter((name) => !/^(nodejs|process)_/.test(name)).sort()).toEqual(NAMES);
  expect(names).toContain('process_resident_memory_bytes');
});

test('the workflow counters, when nothing has run, are 0 for the pipeline workflow', async () => {
  const { body } = await scrape(createMetrics().registry, undefined);

  for (const outcome of ['started', 'completed', 'failed', 'cancelled']) {
    expect(body).toContain(`temporal_workflow_${outcome}_total{workflow_type="DataPipelineWorkflow"} 0\n`);
  }
});

test('the label pipeline, when more than 1,000 names were seen, is other for further ones', () => {
  const { pipelineLabel } = createMetrics();
  for (let index = 0; index < 1000; index += 1) expect(pipelineLabel(`p${index}`)).toBe(`p${index}`);

  expect(pipelineLabel('one-more')).toBe('other');
  expect(pipelineLabel('p999')).toBe('p999');
});

test('two sets of metrics, when in one process, do not share values', async () => {
  const [first, second] = [createMetrics(), createMetrics()];
  first.rowsProcessed.inc({ pipeline: 'p' }, 5);

  expect((await scrape(first.registry, undefined)).body).toContain('pipeline_rows_processed_total{pipeline="p"} 5');
  expect((await scrape(second.registry, undefined)).body).not.toContain('pipeline="p"');
});

test('a scrape, when the SDK serves metrics, has them after our own', async () => {
  const url = await serve('# TYPE temporal_sdk_request_total counter\ntemporal_sdk_request_total 3\n');
  const { body, contentType } = await scrape(createMetrics().registry, url);

  expect(body).toMatch(/\ntemporal_sdk_request_total 3\n$/);
  expect(body).toContain('pipeline_approvals_pending 0');
  expect(contentType).toContain('text/plain');
});

test('a scrape, when the SDK’s metrics are away, still has our own', async () => {
  const { body } = await scrape(createMetrics().registry, 'http://127.0.0.1:1/metrics');

  expect(body).toContain('pipeline_approvals_pending 0');
});
