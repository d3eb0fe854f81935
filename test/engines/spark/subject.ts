import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KillingProxy } from '../../support/killing-proxy.ts';
import type { S3Gateway } from '../../support/s3-gateway.ts';
import type { Service } from '../../support/service.ts';
import { SMALL_JOB, type SparkStandalone } from '../../support/spark-standalone.ts';

/** The whole service, a real standalone Spark, and between them a proxy that does what a test wants. */
export interface Subject {
  spark: SparkStandalone;
  proxy: KillingProxy;
  service: Service;
  /** Of the service, while its staging is on a disk. */
  environment: Record<string, string>;
  /** A real S3 service, which the cluster reaches with keys of its own. */
  s3: S3Gateway;
}

export const NUMBERS = [1, 2, 3];
export const DOUBLED = [2, 4, 6];

export interface StartedRun {
  workflowId: string;
  executionId: string;
  /** Absolute path of the file that its sink writes. */
  sink: string;
  /** Absolute path of the file to which the application adds a line when it begins and one at its end. */
  journal: string;
}

export interface SparkRun {
  /** Of test/engines/spark/applications, or a path. */
  application: string;
  seconds?: number | string;
  fate?: 'fail' | 'fail-once' | 'leave-nothing';
  conf?: Record<string, string>;
  maxAttempts?: number;
}

const QUICK = { initial_interval: '500ms', max_interval: '2s', max_attempts: 3 };
const QUICK_RETRIES = Object.fromEntries(
  ['extract_data', 'validate_quality', 'run_spark_job', 'write_file'].map((activity) => [activity, QUICK]),
);

let pipelines = 0;

/** Runs a pipeline of its own: numbers from a file, through an application on Spark, into a file. */
export async function startRun({ service }: Subject, run: SparkRun): Promise<StartedRun> {
  const { application, seconds = 0, fate, conf, maxAttempts = 3 } = run;
  pipelines += 1;
  const name = `spark-${pipelines}`;
  const sink = join(service.folder, `${name}.csv`);
  const journal = join(service.folder, `${name}.journal`);
  const transformation = {
    name: 'job',
    engine: 'spark',
    application: application.includes('/') ? application : join(import.meta.dirname, 'applications', application),
    args: [journal, String(seconds), ...(fate === undefined ? [] : [fate])],
    conf: { ...SMALL_JOB, ...conf },
  };
  const pipelineId = await service.register({
    name,
    version: '1',
    definition: {
      sources: { numbers: { type: 'file', path: join(service.folder, 'numbers.csv'), format: 'csv' } },
      transformations: [transformation],
      sinks: { file: { type: 'file', from: 'job', path: sink, format: 'csv' } },
      orchestration: { retry: { ...QUICK_RETRIES, run_spark_job: { ...QUICK, max_attempts: maxAttempts } } },
    },
  });
  return { ...(await service.execute(pipelineId)), sink, journal };
}

export interface ShownStep {
  step: string;
  status: string;
  attempts: number;
  externalUrl?: string;
  error?: { type: string; message: string };
}

/** The application's step as `GET …/steps` shows it. */
export async function sparkStep(
  { service }: Subject,
  executionId: string,
  wanted = 'transform:job',
): Promise<ShownStep> {
  const { body } = await service.call('GET', `/v1/pipelines/executions/${executionId}/steps`);
  const step = (body['data'] as ShownStep[]).find((one) => one.step === wanted);
  if (step === undefined) throw new Error(`no such step: ${JSON.stringify(body)}`);
  return step;
}

/** The numbers in a sink's file, which has a line above them. */
export async function numbersIn(file: string): Promise<number[]> {
  const [, ...lines] = (await readFile(file, 'utf8')).trim().split('\n');
  return lines.map(Number);
}

/** What the application wrote: `begin` and `end`, in order. */
export async function wordsIn(journal: string): Promise<string[]> {
  const lines = (await readFile(journal, 'utf8').catch(() => '')).split('\n');
  return lines.filter((line) => line !== '').map((line) => line.split(' ')[0] ?? '');
}

/** The processes of the application that have begun, once there are so many. */
export async function processesIn(journal: string, count = 1): Promise<number[]> {
  const deadlineMs = performance.now() + 100_000;
  for (;;) {
    const lines = (await readFile(journal, 'utf8').catch(() => '')).split('\n');
    const begun = lines.filter((line) => line.startsWith('begin ')).map((line) => Number(line.split(' ')[1]));
    if (begun.length >= count) return begun;
    if (performance.now() > deadlineMs) throw new Error(`the application began ${begun.length} times, not ${count}`);
    await sleep(100);
  }
}
