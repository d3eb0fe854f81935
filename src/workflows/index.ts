/** Everything the workflow bundle exports: one function a workflow type. */
export { DataBackfillWorkflow } from './data-backfill.ts';
export { DataPipelineWorkflow } from './data-pipeline.ts';
export { SchemaMigrationWorkflow } from './schema-migration.ts';
export { TableMaintenanceWorkflow } from './table-maintenance.ts';
