/** What a process without the API answers on METRICS_PORT: its metrics, and whether it is alive and ready (spec section 4). */
import express from 'express';
import { readiness } from '../api/readiness.ts';
import type { Foundations } from './foundations.ts';
import { metricsText } from './metrics-text.ts';

/** Answers where it listens. */
export function serveProbes(foundations: Foundations): string {
  const { metrics, port } = foundations;
  const app = express();
  app.disable('x-powered-by');
  app.get('/metrics', async (_request, response) => {
    response.type(metrics.registry.contentType).send(await metricsText(foundations));
  });
  app.get('/health', (_request, response) => {
    response.json({ status: 'ok' });
  });
  app.get('/health/ready', async (_request, response) => {
    const dependencies = await readiness(foundations);
    const ready = Object.values(dependencies).every(({ ok }) => ok);
    response.status(ready ? 200 : 503).json({ status: ready ? 'ready' : 'not ready', dependencies });
  });
  port.serve(app);
  return port.url;
}
