import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AirflowServer } from '../../support/airflow-server.ts';
import type { KillingProxy } from '../../support/killing-proxy.ts';
import type { S3Gateway } from '../../support/s3-gateway.ts';
import type { Service } from '../../support/service.ts';

/** Short, so that each run outlives some. */
export const TOKEN_LIFE_S = 5;

/** The whole service, a real Airflow, and between them a proxy that does what a test wants. */
export interface Subject {
  airflow: AirflowServer;
  proxy: KillingProxy;
  service: Service;
  /** A real S3 service, which Airflow's workers reach with keys of their own. */
  s3: S3Gateway;
}

/** What the service is told of Airflow: that it is where the proxy is. */
export function environmentOf(airflow: AirflowServer, proxy: KillingProxy): Record<string, string> {
  return {
    AIRFLOW_URL: proxy.url,
    AIRFLOW_USERNAME: airflow.username,
    AIRFLOW_PASSWORD: airflow.password,
    HEARTBEAT_TIMEOUT: '3s',
  };
}

export interface StartedRun {
  workflowId: string;
  executionId: string;
  /** Absolute path of the file that its sink writes. */
  sink: string;
  /** Absolute path of the file to which the DAG adds a line whenever it works. */
  journal: string;
}

export interface DagStep {
  dag_id: string;
  conf?: Record<string, unknown>;
  result_task?: string;
}

const QUICK = { initial_interval: '500ms', max_interval: '2s', max_attempts: 3 };
const QUICK_RETRIES = Object.fromEntries(
  ['extract_data', 'validate_quality', 'trigger_airflow_dag', 'write_file'].map((activity) => [activity, QUICK]),
);

let pipelines = 0;

/** Runs a pipeline of its own: numbers from a file, through a DAG, into a file. */
export async function startRun({ service }: Subject, step: DagStep, maxAttempts = 3): Promise<StartedRun> {
  pipelines += 1;
  const name = `airflow-${pipelines}`;
  const sink = join(service.folder, `${name}.csv`);
  const journal = join(service.folder, `${name}.journal`);
  const pipelineId = await service.register({
    name,
    version: '1',
    definition: {
      sources: { numbers: { type: 'file', path: join(service.folder, 'numbers.csv'), format: 'csv' } },
      transformations: [{ name: 'dag', engine: 'airflow', ...step, conf: { journal, ...step.conf } }],
      sinks: { file: { type: 'file', from: 'dag', path: sink, format: 'csv' } },
      orchestration: {
        retry: { ...QUICK_RETRIES, trigger_airflow_dag: { ...QUICK, max_attempts: maxAttempts } },
      },
    },
  });
  return { ...(await service.execute(pipelineId)), sink, journal };
}

/** The DAG's step as `GET …/steps` shows it. */
export async function dagStep({ service }: Subject, executionId: string): Promise<ShownStep> {
  const { body } = await service.call('GET', `/v1/pipelines/executions/${executionId}/steps`);
  const step = (body['data'] as ShownStep[]).find((one) => one.step === 'transform:dag');
  if (step === undefined) throw new Error(`no such step: ${JSON.stringify(body)}`);
  return step;
}

export interface ShownStep {
  step: string;
  status: string;
  attempts: number;
  externalUrl?: string;
  error?: { type: string; message: string };
}

/** The numbers in a sink's file, which has a line above them. */
export async function numbersIn(file: string): Promise<number[]> {
  const [, ...lines] = (await readFile(file, 'utf8')).trim().split('\n');
  return lines.map(Number);
}

export async function linesOf(file: string): Promise<string[]> {
  return (await readFile(file, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
}
