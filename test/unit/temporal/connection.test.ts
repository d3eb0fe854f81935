import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createLogger } from '../../../src/logger.ts';
import { createMetrics } from '../../../src/metrics/metrics.ts';
import { scrape } from '../../../src/metrics/scrape.ts';
import { connectTemporal, type TemporalConnection } from '../../../src/temporal/connection.ts';
import { startDevServer, type DevServer } from '../../../src/temporal/dev-server.ts';
import { installTemporalRuntime } from '../../../src/temporal/runtime.ts';
import { withDeadline } from '../../../src/temporal/with-deadline.ts';

const logger = createLogger('silent');

let sdkMetricsUrl: string;
let server: DevServer;
let temporal: TemporalConnection;

beforeAll(async () => {
  ({ sdkMetricsUrl } = await installTemporalRuntime(logger));
  server = await startDevServer({
    binary: inject('temporalBinary'),
    dataDir: undefined,
    namespaces: ['known'],
    logger,
  });
  temporal = await connect('known');
});
afterAll(async () => {
  await temporal.close();
  await server.stop();
});

const connect = (namespace: string) =>
  connectTemporal(
    {
      address: server.address,
      namespace,
      apiKey: undefined,
      tls: { certificate: undefined, key: undefined, authority: undefined },
    },
    logger,
  );

/** The process that listens on the server's port. */
function serverPid(): number {
  const port = server.address.split(':')[1] ?? '';
  return Number(execFileSync('pgrep', ['-f', `start-dev .*--port ${port} `], { encoding: 'utf8' }).trim());
}

const describeNothing = () =>
  withDeadline(temporal.connection, 1000, () => temporal.client.workflow.getHandle('nothing').describe());

describe('a connection', () => {
  test('when the namespace is missing, makes it and can use it at once', async () => {
    const other = await connect('not-known-yet');

    const started = await other.client.workflow.start('nobodyWorks', { taskQueue: 'none', workflowId: 'w' });
    await other.close();

    expect(started.firstExecutionRunId).not.toBe('');
  });

  test('when in use, is measured by the SDK under names of its own', async () => {
    const { body } = await scrape(createMetrics().registry, sdkMetricsUrl);
    const names = [...body.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);

    expect(names).toContain('temporal_sdk_request_total');
    expect(names).toContain('temporal_workflow_started_total');
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('a call with a deadline', () => {
  test('when Temporal answers that there is no such workflow, fails with that', async () => {
    await expect(describeNothing()).rejects.toThrow(expect.objectContaining({ name: 'WorkflowNotFoundError' }));
  });

  test('when Temporal hangs, is SERVICE_UNAVAILABLE at the deadline', async () => {
    const pid = serverPid();
    process.kill(pid, 'SIGSTOP');
    await expect.poll(() => stateOf(pid)).toBe('T');
    const startedMs = performance.now();
    try {
      await expect(describeNothing()).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', httpStatus: 503 });
      expect(performance.now() - startedMs).toBeLessThan(6000);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });

  test('when Temporal is gone, is SERVICE_UNAVAILABLE at the deadline', async () => {
    await server.stop();
    const startedMs = performance.now();

    await expect(describeNothing()).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(performance.now() - startedMs).toBeLessThan(6000);
  });
});

/** One letter; T is stopped. The signal is obeyed a moment after it was sent. */
function stateOf(pid: number): string {
  return execFileSync('ps', ['-o', 'state=', '-p', String(pid)], { encoding: 'utf8' })
    .trim()
    .slice(0, 1);
}
