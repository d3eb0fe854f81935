/** What operators and their machines ask: no token needed. */
import * as z from 'zod';
import { healthAnswer, readinessAnswer } from '../../schemas/api-answers.ts';
import type { PublicRoute } from '../route.ts';

const tag = 'Operations';

export const operationsRoutes: readonly PublicRoute[] = [
  {
    access: 'public',
    method: 'get',
    path: '/health',
    operationId: 'getHealth',
    tag,
    summary: 'Whether the process lives',
    answers: { 200: { description: 'It does.', schema: healthAnswer } },
    handle: () => Promise.resolve({ status: 200, body: { status: 'ok' } }),
  },
  {
    access: 'public',
    method: 'get',
    path: '/health/ready',
    operationId: 'getReadiness',
    tag,
    summary: 'Whether everything that requests need is there',
    answers: {
      200: { description: 'All of it.', schema: readinessAnswer },
      503: { description: 'Something is away; it says what.', schema: readinessAnswer },
    },
    handle: async ({ readiness }) => {
      const dependencies = await readiness();
      const ready = Object.values(dependencies).every(({ ok }) => ok);
      return { status: ready ? 200 : 503, body: { status: ready ? 'ready' : 'not ready', dependencies } };
    },
  },
  {
    access: 'public',
    method: 'get',
    path: '/metrics',
    operationId: 'getMetrics',
    tag,
    summary: "Metrics in Prometheus' text format",
    answers: { 200: { description: 'The metrics.', schema: z.string(), contentType: 'text/plain' } },
    handle: async ({ metricsText }) => ({ status: 200, body: await metricsText() }),
  },
];
