import type { Route } from '../route.ts';
import { auditRoutes } from './audit.ts';
import { backfillRoutes } from './backfills.ts';
import { executionRoutes } from './executions.ts';
import { migrationRoutes } from './migrations.ts';
import { maintenanceRoutes } from './maintenance.ts';
import { operationsRoutes } from './operations.ts';
import { pipelineRoutes } from './pipelines.ts';
import { workflowRoutes } from './workflows.ts';

/** Everything the API serves. The first that fits a path serves it, so fixed segments come before parameters. */
export const ROUTES: readonly Route[] = [
  ...executionRoutes,
  ...workflowRoutes,
  ...pipelineRoutes,
  ...backfillRoutes,
  ...migrationRoutes,
  ...maintenanceRoutes,
  ...auditRoutes,
  ...operationsRoutes,
];
