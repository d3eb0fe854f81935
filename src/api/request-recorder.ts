/** Every request once in the metrics and once in the log, when its answer is out or its caller is gone. */
import type { RequestHandler, Response } from 'express';
import type { Logger } from 'pino';
import type { Metrics } from '../metrics/metrics.ts';
import type { Caller } from './access.ts';
import { requestIdOf } from './request-id.ts';

/** What the log and the metrics want to know of a request, filled in while it is handled. */
export interface RequestRecord {
  /** The pattern, `/v1/pipelines/{id}`: a path would be a label without bounds. */
  route: string;
  caller?: Caller;
}

const records = new WeakMap<Response, RequestRecord>();

export function recordOf(response: Response): RequestRecord {
  const known = records.get(response);
  if (known !== undefined) return known;
  const record: RequestRecord = { route: 'unmatched' };
  records.set(response, record);
  return record;
}

const LOGGED_PATH_LENGTH = 300;
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

export function requestRecorder(metrics: Pick<Metrics, 'httpRequestDurationSeconds'>, logger: Logger): RequestHandler {
  return (request, response, next) => {
    const startedMs = performance.now();
    response.once('close', () => {
      const { route, caller } = recordOf(response);
      const durationMs = performance.now() - startedMs;
      // 499: the caller went away first, as nginx writes it.
      const status = response.writableFinished ? response.statusCode : 499;
      const method = METHODS.has(request.method) ? request.method : 'other';
      metrics.httpRequestDurationSeconds.observe({ method, route, status: String(status) }, durationMs / 1000);
      // Probes and scrapes come every few seconds and say nothing.
      const level = /^\/(health|metrics)/.test(route) && status < 500 ? 'debug' : 'info';
      logger[level](
        {
          requestId: requestIdOf(response),
          method,
          route,
          path: request.originalUrl.split('?', 1)[0]?.slice(0, LOGGED_PATH_LENGTH),
          status,
          durationMs: Math.round(durationMs),
          ...(caller && { tenant: caller.tenant, user: caller.user }),
        },
        'Request handled',
      );
    });
    next();
  };
}
