/**
 * `DataPipelineWorkflow` on a real Temporal server, with typed stand-ins for its activities and for the store behind
 * its recorder: what a test wants to see is what the workflow asked of them.
 */
import { randomUUID } from 'node:crypto';
import { Client } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { PipelineActivities } from '../../src/activities/pipeline-activities.ts';
import type { ClosingRecord, RunRecorder } from '../../src/activities/run-recorder.ts';
import { createLogger } from '../../src/logger.ts';
import { bundleWorkflows } from '../../src/temporal/workers.ts';
import {
  type GateAnswer,
  PIPELINE_WORKFLOW,
  type PipelineRunInput,
  type PipelineRunResult,
  type PlannedStep,
  progressQuery,
  type RunProgress,
  type StepInput,
} from '../../src/workflows/messages.ts';
import type { TestTemporal } from './temporal.ts';

const QUEUES = ['extract', 'quality', 'transform', 'load', 'notify', 'control'];

/** A store of one process, for the recorder: the gate's unique key is what matters of it. */
export class StandInStore implements RunRecorder {
  readonly closed: ClosingRecord[] = [];
  readonly begun: string[] = [];
  readonly answers = new Map<string, GateAnswer>();
  readonly openGates = new Set<string>();
  slotsFree = Number.POSITIVE_INFINITY;

  begin_run({ executionId }: { executionId: string }): Promise<void> {
    this.begun.push(executionId);
    return Promise.resolve();
  }

  acquire_slot(): Promise<boolean> {
    if (this.slotsFree <= 0) return Promise.resolve(false);
    this.slotsFree -= 1;
    return Promise.resolve(true);
  }

  open_gate({ executionId, timeoutMs }: { executionId: string; timeoutMs: number }) {
    this.openGates.add(executionId);
    return Promise.resolve({ openedAtMs: Date.now(), deadlineAtMs: Date.now() + timeoutMs });
  }

  read_gate_answer({ executionId }: { executionId: string }): Promise<GateAnswer | null> {
    return Promise.resolve(this.answers.get(executionId) ?? null);
  }

  settle_gate({ executionId }: { executionId: string }): Promise<GateAnswer> {
    const expired: GateAnswer = { answerId: 'nobody', kind: 'expired', answeredBy: 'nobody' };
    if (!this.answers.has(executionId)) this.answers.set(executionId, expired);
    return Promise.resolve(this.answers.get(executionId) ?? expired);
  }

  close_run(closing: ClosingRecord): Promise<void> {
    this.closed.push(closing);
    return Promise.resolve();
  }
}

export interface Call {
  activity: string;
  input: StepInput;
}

/** Activities that do nothing but say what they were called with; a test replaces those that it is about. */
export function standInActivities(calls: Call[], score = 1): PipelineActivities {
  const answer = (activity: string) => (input: StepInput) => {
    calls.push({ activity, input });
    const uri = `file:///staging/${input.step}/`;
    return Promise.resolve({ rows: 10, bytes: 100, output: { uri, rows: 10, bytes: 100 } });
  };
  const told = (activity: string) => (input: unknown) => {
    calls.push({ activity, input: input as StepInput });
    return Promise.resolve();
  };
  return {
    extract_data: answer('extract_data'),
    validate_quality: (input) => {
      calls.push({ activity: 'validate_quality', input });
      return Promise.resolve({ score, needsApproval: score < 1 });
    },
    run_sql: answer('run_sql'),
    trigger_airflow_dag: answer('trigger_airflow_dag'),
    run_flink_statement: answer('run_flink_statement'),
    run_spark_job: answer('run_spark_job'),
    run_dbt: (input) => {
      calls.push({ activity: 'run_dbt', input });
      const none = { passed: 0, failed: 0, skipped: 0 };
      return Promise.resolve({ models: none, tests: none });
    },
    load_to_iceberg: answer('load_to_iceberg'),
    load_to_postgres: answer('load_to_postgres'),
    write_file: answer('write_file'),
    notify_quality_issue: told('notify_quality_issue'),
    notify_pipeline_completion: told('notify_pipeline_completion'),
    notify_failure: told('notify_failure'),
  };
}

const step = (name: string, activity: PlannedStep['activity'], inputs: string[] = []): PlannedStep => ({
  step: name,
  activity,
  inputs,
});

/** Two sources, a small graph of transformations, two sinks; quick retries. */
export function runInput(changes: Partial<PipelineRunInput['plan']> = {}): PipelineRunInput {
  const executionId = randomUUID();
  const quick = { initialIntervalMs: 20, maximumIntervalMs: 50, maximumAttempts: 2 };
  return {
    executionId,
    rootExecutionId: executionId,
    tenant: 'default',
    pipelineId: 'p',
    pipelineName: 'p',
    revision: 1,
    requestId: 'r',
    plan: {
      extractions: [step('extract:a', 'extract_data'), step('extract:b', 'extract_data')],
      transformations: [
        step('transform:first', 'run_sql', ['a', 'b']),
        step('transform:left', 'run_sql', ['a', 'b', 'first']),
        step('transform:right', 'run_sql', ['a', 'b', 'first']),
      ],
      loads: [step('load:lake', 'load_to_iceberg', ['left']), step('load:file', 'write_file', ['right'])],
      policies: {
        extract_data: quick,
        validate_quality: quick,
        run_sql: quick,
        load_to_iceberg: quick,
        write_file: quick,
        notify_failure: quick,
        notify_pipeline_completion: quick,
        notify_quality_issue: quick,
      },
      gate: { timeoutMs: 60_000, remindAfterMs: [] },
      deadlineMs: 3_600_000,
      heartbeatTimeoutMs: 5000,
      notifyOn: ['quality_issue', 'failure', 'completion'],
      priorityKey: 3,
      maxRuns: null,
      ...changes,
    },
    reused: {},
  };
}

export interface WorkflowBench extends AsyncDisposable {
  client: Client;
  store: StandInStore;
  calls: Call[];
  start(input: PipelineRunInput): Promise<RunUnderTest>;
}

export interface RunUnderTest {
  workflowId: string;
  handle: ReturnType<Client['workflow']['getHandle']>;
  result(): Promise<PipelineRunResult>;
  progress(): Promise<RunProgress>;
  until(test: (progress: RunProgress) => boolean): Promise<RunProgress>;
}

let bundle: ReturnType<typeof bundleWorkflows> | undefined;

/** The SDK tells of every worker that starts and stops; a test's output is for its failures. */
function quietly(): ReturnType<typeof bundleWorkflows> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  return bundleWorkflows(createLogger('error'));
}

/** Workers with the given stand-ins, gone when it is disposed of. */
export async function workflowBench(
  server: TestTemporal,
  options: {
    store?: StandInStore;
    calls?: Call[];
    activities: Partial<PipelineActivities>;
    score?: number;
  },
): Promise<WorkflowBench> {
  const store = options.store ?? new StandInStore();
  const calls = options.calls ?? [];
  const { address, namespace } = server;
  bundle ??= quietly();
  const connection = await NativeConnection.connect({ address });
  const client = new Client({ connection, namespace });
  const workflowBundle = await bundle;
  const activities = { ...standInActivities(calls, options.score), ...options.activities };
  const recorder = Object.fromEntries(
    (['begin_run', 'acquire_slot', 'open_gate', 'read_gate_answer', 'settle_gate', 'close_run'] as const).map(
      (name) => [name, (argument: never) => store[name](argument)],
    ),
  );
  const common = { connection, namespace };
  const workers = [
    await Worker.create({ ...common, taskQueue: 'pipeline-workers', workflowBundle, activities: recorder }),
    ...(await Promise.all(QUEUES.map((taskQueue) => Worker.create({ ...common, taskQueue, activities })))),
  ];
  const running = workers.map((worker) => worker.run());
  return {
    client,
    store,
    calls,
    async start(input) {
      const workflowId = `test-${input.executionId}`;
      const handle = await client.workflow.start(PIPELINE_WORKFLOW, {
        workflowId,
        taskQueue: 'pipeline-workers',
        args: [input],
      });
      const progress = () => handle.query(progressQuery);
      return {
        workflowId,
        handle: client.workflow.getHandle(workflowId),
        result: () => handle.result() as Promise<PipelineRunResult>,
        progress,
        async until(test) {
          for (let tries = 0; tries < 400; tries += 1) {
            const seen = await progress();
            if (test(seen)) return seen;
            await new Promise((resolve) => setTimeout(resolve, 25));
          }
          throw new Error(`never reached: ${JSON.stringify(await progress())}`);
        },
      };
    },
    async [Symbol.asyncDispose]() {
      for (const worker of workers) worker.shutdown();
      await Promise.all(running);
      await connection.close();
    },
  };
}
