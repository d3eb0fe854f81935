/**
 * The HTTP API (spec section 4): what it needs of the rest of the service, and the Express application that serves the
 * declared routes. Routes ask and start only; engines and activities are out of their reach.
 */
import express, { type Express } from 'express';
import type { Logger } from 'pino';
import type { Metrics } from '../metrics/metrics.ts';
import type { Actor } from '../pipelines/actor.ts';
import type { Backfills } from '../pipelines/backfills.ts';
import type { Migrations } from '../pipelines/migrations.ts';
import type { TableMaintenance } from '../pipelines/table-maintenance.ts';
import type { PipelineRegistry } from '../pipelines/registry.ts';
import type { ExecuteBody, ExecutionFilters, PageQuery, RetryBody, SignalBody } from '../schemas/api-requests.ts';
import type {
  Execution,
  LogLine,
  PendingApproval,
  QualityReportAnswer,
  StartedRun,
  Step,
  WorkflowStatus,
} from '../schemas/api-run-answers.ts';
import type { Store } from '../store/store.ts';
import { createAuthenticate, isOpen, type AuthSettings } from './authentication.ts';
import { documentationRouter } from './documentation.ts';
import { createErrorHandler, notFoundHandler } from './error-handler.ts';
import { openModeGuard } from './open-mode-guard.ts';
import { requestIdHandler } from './request-id.ts';
import { requestRecorder } from './request-recorder.ts';
import { ROUTES } from './routes/routes.ts';
import { securityHeaders } from './security-headers.ts';
import { mountRoutes } from './mount-routes.ts';

/**
 * Runs, as the routes need them. Every method throws ServiceError: RESOURCE_NOT_FOUND also for another tenant's,
 * SERVICE_UNAVAILABLE within 2 s when Temporal or the database is away.
 *
 * `reservedId` names what a call makes. Called again with the same one, after a crash, it finds what it had made
 * and answers that, instead of making a second.
 */
export interface RunsService {
  start(actor: Actor, pipelineIdOrName: string, body: ExecuteBody, reservedId: string): Promise<StartedRun>;
  retry(actor: Actor, executionId: string, body: RetryBody, reservedId: string): Promise<StartedRun>;
  /** Newest first. */
  list(actor: Actor, filters: ExecutionFilters, page: PageQuery): Promise<{ items: Execution[]; total: number }>;
  get(actor: Actor, executionId: string): Promise<Execution>;
  steps(actor: Actor, executionId: string): Promise<Step[]>;
  /** Oldest first. */
  stepLogs(actor: Actor, executionId: string, step: string): Promise<LogLine[]>;
  quality(actor: Actor, executionId: string): Promise<QualityReportAnswer>;
  status(actor: Actor, workflowId: string): Promise<WorkflowStatus>;
  /** Returns once the signal is recorded and will reach the workflow, whoever crashes. CONFLICT when it may not count. */
  signal(actor: Actor, workflowId: string, signal: SignalBody, reservedId: string): Promise<void>;
  approvals(actor: Actor, page: PageQuery): Promise<{ items: PendingApproval[]; total: number }>;
}

/** Each dependency: whether it works, or why not. */
export type Readiness = Record<string, { ok: boolean; error?: string }>;

/** What the routes work with. */
export interface Services {
  runs: RunsService;
  backfills: Backfills;
  migrations: Migrations;
  maintenance: TableMaintenance;
  registry: PipelineRegistry;
  store: Store;
  /** Prometheus' text format. */
  metricsText: () => Promise<string>;
  readiness: () => Promise<Readiness>;
}

export interface AppDependencies extends Services {
  auth: AuthSettings;
  metrics: Pick<Metrics, 'httpRequestDurationSeconds'>;
  logger: Logger;
}

export function createApp(dependencies: AppDependencies): Express {
  const { auth, metrics, logger } = dependencies;
  const app = express();
  app.disable('x-powered-by');
  // 304 has no place in the contract, and answers are never cached.
  app.disable('etag');
  app.enable('case sensitive routing');
  app.set('query parser', 'simple');

  app.use(requestIdHandler, requestRecorder(metrics, logger), securityHeaders);
  if (isOpen(auth)) app.use(openModeGuard);
  app.use(documentationRouter());
  // `/pipelines/…` is the same router as `/v1/pipelines/…`: from here on there is one name for it.
  app.use((request, _response, next) => {
    if (/^\/pipelines(?=[/?]|$)/.test(request.url)) request.url = `/v1${request.url}`;
    next();
  });
  mountRoutes(app, ROUTES, { ...dependencies, authenticate: createAuthenticate(auth) });
  app.use(notFoundHandler, createErrorHandler(logger));
  return app;
}
