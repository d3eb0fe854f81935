/** The HTTP API of a process. It listens last, so that no request finds the service half there. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createApp } from '../api/app.ts';
import { readiness } from '../api/readiness.ts';
import type { Config } from '../config.ts';
import { scrape } from '../metrics/scrape.ts';
import { BUILT_IN_ONLY } from '../pipelines/engine-availability.ts';
import { PipelineRuns } from '../pipelines/pipeline-runs.ts';
import { PipelineRegistry } from '../pipelines/registry.ts';
import { StartupError } from '../startup-error.ts';
import type { Cleanup } from './cleanup.ts';
import type { Foundations } from './foundations.ts';

/** Answers where it listens. */
export async function serveApi(foundations: Foundations, cleanup: Cleanup): Promise<string> {
  const { config, logger, store, temporal, metrics, sdkMetricsUrl, roots } = foundations;
  const app = createApp({
    runs: new PipelineRuns({ ...foundations, heartbeatTimeoutMs: config.worker.heartbeatTimeoutMs }),
    registry: new PipelineRegistry(store, { engines: BUILT_IN_ONLY, roots }),
    store,
    auth: config.auth,
    metrics,
    logger,
    metricsText: async () => {
      // Without the database the gauge keeps its last value: the other metrics are wanted all the more.
      const open = await store.gates.countOpen().catch(() => undefined);
      if (open !== undefined) metrics.approvalsPending.set(open);
      return (await scrape(metrics.registry, sdkMetricsUrl)).body;
    },
    readiness: () => readiness({ store, temporal }),
  });
  const http = createServer(app);
  const url = await listen(http, config.http);
  cleanup.add(
    () =>
      new Promise((closed) => {
        http.close(closed);
        http.closeIdleConnections();
      }),
  );
  return url;
}

async function listen(http: Server, { host, port }: Config['http']): Promise<string> {
  await new Promise<void>((listening, failed) => {
    http.once('error', (error) => {
      failed(new StartupError(`PORT ${port} on HOST ${host} cannot be listened on: ${error.message}`));
    });
    http.listen(port, host, listening);
  });
  const address = http.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
}
