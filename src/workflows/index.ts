/** Everything the workflow bundle exports: one function a workflow type. */
export { DataPipelineWorkflow } from './data-pipeline.ts';
