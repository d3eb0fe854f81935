/**
 * Every metric of the service: name, help, labels and buckets (spec section 6). Whoever counts something must count
 * it once: a replay or a retry of an activity is not a second time. Labels have bounded values, never an id.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { boundedLabel } from './bounded-label.ts';

/** Milliseconds to a day: a run takes as long as its data is big. */
const RUN_SECONDS = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600];
const ACTIVITY_SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 2 * 3600];
const REQUEST_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Workflow types whose counters start at 0, so that `rate()` sees the first run. */
const WORKFLOW_TYPES = [
  'DataPipelineWorkflow',
  'DataBackfillWorkflow',
  'SchemaMigrationWorkflow',
  'TableMaintenanceWorkflow',
];

const MAX_PIPELINES = 1000;

export type Metrics = ReturnType<typeof createMetrics>;

/** The metrics of one process, with Node's own, in a registry of their own. */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const workflowCounter = (outcome: string, help: string) => {
    const name = `temporal_workflow_${outcome}_total`;
    const counter = new Counter({ name, help, labelNames: ['workflow_type'], registers });
    for (const workflow_type of WORKFLOW_TYPES) counter.inc({ workflow_type }, 0);
    return counter;
  };

  return {
    registry,
    workflowStarted: workflowCounter('started', 'Workflows started.'),
    workflowCompleted: workflowCounter('completed', 'Workflows that ended COMPLETED.'),
    workflowFailed: workflowCounter('failed', 'Workflows that ended FAILED, ROLLED_BACK, TIMED_OUT or TERMINATED.'),
    workflowCancelled: workflowCounter('cancelled', 'Workflows that ended CANCELLED, also by the quality gate.'),
    workflowDurationSeconds: new Histogram({
      name: 'temporal_workflow_duration_seconds',
      help: 'Time from start to end of workflows.',
      labelNames: ['workflow_type'],
      buckets: RUN_SECONDS,
      registers,
    }),
    activityExecutionSeconds: new Histogram({
      name: 'temporal_activity_execution_seconds',
      help: 'Time of one attempt of an activity; outcome is completed, failed or cancelled.',
      labelNames: ['activity_type', 'outcome'],
      buckets: ACTIVITY_SECONDS,
      registers,
    }),
    activityRetries: new Counter({
      name: 'temporal_activity_retries_total',
      help: 'Attempts of activities beyond the first.',
      labelNames: ['activity_type'],
      registers,
    }),
    rowsProcessed: new Counter({
      name: 'pipeline_rows_processed_total',
      help: 'Rows written to sinks.',
      labelNames: ['pipeline'],
      registers,
    }),
    qualityScore: new Gauge({
      name: 'pipeline_quality_score',
      help: 'Quality score of the last run that was checked, 0 to 1.',
      labelNames: ['pipeline'],
      registers,
    }),
    approvalsPending: new Gauge({
      name: 'pipeline_approvals_pending',
      help: 'Runs and migrations that wait at their gate for a person.',
      registers,
    }),
    backfillPartitions: new Gauge({
      name: 'pipeline_backfill_partitions',
      help: 'Partitions of open backfills by state.',
      labelNames: ['state'],
      registers,
    }),
    httpRequestDurationSeconds: new Histogram({
      name: 'http_request_duration_seconds',
      help: 'Time to answer HTTP requests; route is the pattern that matched.',
      labelNames: ['method', 'route', 'status'],
      buckets: REQUEST_SECONDS,
      registers,
    }),
    /** Value of the label `pipeline` for a pipeline's name: `other` beyond the first 1,000 names. */
    pipelineLabel: boundedLabel(MAX_PIPELINES),
  };
}
