/** The workers of one process: one for each task queue that it serves, all on one connection and one workflow bundle. */
import { fileURLToPath } from 'node:url';
import {
  bundleWorkflowCode,
  DefaultLogger,
  type NativeConnection,
  Worker,
  type WorkerOptions,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import type { Logger } from '../logger.ts';

/** Queues whose workers run workflows; the others run activities only (spec section 2). */
const WORKFLOW_QUEUES = new Set(['pipeline-workers', 'connection-managers', 'sync-workers']);

/** Activities that were told to stop get this long; then the process ends and their successors adopt what they left. */
const SHUTDOWN_GRACE_MS = 5_000;

const HEARTBEAT_EVERY = '2s';

export interface WorkersOptions {
  connection: NativeConnection;
  namespace: string;
  taskQueues: readonly string[];
  /** Activities at a time, per queue. */
  concurrency: number;
  activities: object;
  /** Short activities of the workflows themselves, run where the workflow runs. */
  recorder: object;
  logger: Logger;
}

export interface Workers {
  /** Resolves when all have drained; rejects when one of them failed. */
  readonly finished: Promise<void>;
  shutdown(): void;
}

/** Starts polling when it resolves. */
export async function startWorkers(options: WorkersOptions): Promise<Workers> {
  const servesWorkflows = options.taskQueues.some((queue) => WORKFLOW_QUEUES.has(queue));
  const workflowBundle = servesWorkflows ? await bundleWorkflows(options.logger) : undefined;
  const workers: Worker[] = [];
  for (const taskQueue of options.taskQueues) {
    const worker = await Worker.create({
      connection: options.connection,
      namespace: options.namespace,
      taskQueue,
      shutdownGraceTime: SHUTDOWN_GRACE_MS,
      shutdownForceTime: SHUTDOWN_GRACE_MS * 3,
      ...(WORKFLOW_QUEUES.has(taskQueue) && workflowBundle !== undefined
        ? workflowWorker(workflowBundle, options.recorder)
        : activityWorker(options)),
    });
    workers.push(worker);
  }
  const finished = Promise.all(workers.map((worker) => worker.run())).then(() => undefined);
  finished.catch(() => undefined); // Whoever waits for it learns of a failure; nobody has to.
  return {
    finished,
    shutdown() {
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    },
  };
}

export function bundleWorkflows(logger: Logger): Promise<WorkflowBundleWithSourceMap> {
  return bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
    // What the bundler tells at INFO is of interest to nobody who runs the service.
    logger: new DefaultLogger('WARN', ({ level, message }) => {
      logger[level === 'WARN' ? 'warn' : 'error'](message);
    }),
  });
}

function workflowWorker(workflowBundle: WorkflowBundleWithSourceMap, recorder: object): Partial<WorkerOptions> {
  return {
    workflowBundle,
    activities: recorder,
    // Local activities only: everything else has a queue of its own.
    enableNonLocalActivities: false,
    // A worker that was killed is noticed after this by the workflows it had in its cache.
    stickyQueueScheduleToStartTimeout: '2s',
  };
}

function activityWorker({ activities, concurrency }: WorkersOptions): Partial<WorkerOptions> {
  return {
    activities,
    maxConcurrentActivityTaskExecutions: concurrency,
    // A cancellation reaches an activity with the answer to a heartbeat, so that is how long it takes.
    maxHeartbeatThrottleInterval: HEARTBEAT_EVERY,
    defaultHeartbeatThrottleInterval: HEARTBEAT_EVERY,
  };
}
