import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { jobPrefix } from '../../../src/engines/job-name.ts';
import type { FlinkCluster } from '../../support/flink-cluster.ts';
import type { KillingProxy } from '../../support/killing-proxy.ts';
import type { S3Gateway } from '../../support/s3-gateway.ts';
import type { Service } from '../../support/service.ts';

/** The whole service, a real Flink, and before each of Flink's two addresses a proxy that does what a test wants. */
export interface Subject {
  cluster: FlinkCluster;
  gateway: KillingProxy;
  jobManager: KillingProxy;
  service: Service;
  /** Of the service, while its staging is on a disk. */
  environment: Record<string, string>;
  /** A real S3 service, which the cluster reaches with keys of its own. */
  s3: S3Gateway;
}

export interface StartedRun {
  workflowId: string;
  executionId: string;
  /** Absolute path of the file that its sink writes. */
  sink: string;
  /** What the names of the step's jobs start with. */
  jobs: string;
}

/** What the source holds. */
export const NUMBERS = [1, 2, 3, 40];
export const DOUBLED = NUMBERS.map((number) => 2 * number);

/** Doubles the numbers; takes that many seconds, at a row a second that is then left out. */
export function doubling(seconds: number): string {
  return `
CREATE TEMPORARY TABLE numbers (n BIGINT) WITH ('connector' = 'filesystem', 'path' = '\${input:numbers}', 'format' = 'parquet');
CREATE TEMPORARY TABLE ticks (tick BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '1',
  'number-of-rows' = '${seconds}', 'fields.tick.min' = '1', 'fields.tick.max' = '9');
CREATE TEMPORARY TABLE doubled (n BIGINT) WITH ('connector' = 'filesystem', 'path' = '\${output}', 'format' = 'parquet');
INSERT INTO doubled SELECT n * \${factor} FROM numbers UNION ALL SELECT tick FROM ticks WHERE tick < 0`;
}

/** Of one text in the numbers' place, which is a number for no row. */
export const FAILING = doubling(1).replace('n * ${factor}', "CAST(CAST(n AS STRING) || ' of them' AS BIGINT)");

export interface Options {
  attempts?: number;
  statement: string;
}

const QUICK = { initial_interval: '500ms', max_interval: '1s', max_attempts: 3 };
let pipelines = 0;

/** Runs a pipeline of its own: numbers from a file, through Flink, into a file. */
export async function startRun({ service }: Subject, { statement, attempts = 3 }: Options): Promise<StartedRun> {
  pipelines += 1;
  const name = `flink-${pipelines}`;
  const sink = join(service.folder, `${name}.csv`);
  const pipelineId = await service.register({
    name,
    version: '1',
    parameters: { factor: { type: 'int', default: 2 } },
    definition: {
      sources: { numbers: { type: 'file', path: join(service.folder, 'numbers.csv'), format: 'csv' } },
      transformations: [{ name: 'doubled', engine: 'flink', statement }],
      sinks: { file: { type: 'file', from: 'doubled', path: sink, format: 'csv' } },
      orchestration: { retry: { run_flink_statement: { ...QUICK, max_attempts: attempts } } },
    },
  });
  const { workflowId, executionId } = await service.execute(pipelineId);
  return { workflowId, executionId, sink, jobs: jobPrefix(workflowId, 'transform:doubled') };
}

export interface ShownStep {
  step: string;
  status: string;
  attempts: number;
  externalUrl?: string;
  error?: { type: string; message: string };
}

/** Flink's step as `GET …/steps` shows it. */
export async function flinkStep({ service }: Subject, { executionId }: StartedRun): Promise<ShownStep | undefined> {
  const { body } = await service.call('GET', `/v1/pipelines/executions/${executionId}/steps`);
  return (body['data'] as ShownStep[]).find(({ step }) => step === 'transform:doubled');
}

export async function logOf({ service }: Subject, { executionId }: StartedRun): Promise<string> {
  const { body } = await service.call('GET', `/v1/pipelines/executions/${executionId}/steps/transform:doubled/logs`);
  return JSON.stringify(body);
}

/** The states of the step's jobs at the job manager, by the generation of each. */
export async function jobStates({ cluster }: Subject, { jobs }: StartedRun): Promise<string[]> {
  return (await cluster.jobs(jobs)).map(({ name, state }) => `${name.slice(jobs.length)}: ${state}`);
}

/** The numbers in a sink's file, which has a line above them. */
export async function numbersIn({ sink }: StartedRun): Promise<number[]> {
  const [, ...lines] = (await readFile(sink, 'utf8')).trim().split('\n');
  return lines.map(Number).sort((a, b) => a - b);
}
