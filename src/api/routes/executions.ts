/** Runs, their steps, logs and quality reports. */
import { executionsQuery, retryBody } from '../../schemas/api-requests.ts';
import {
  executionAnswer,
  executionPage,
  qualityReportAnswer,
  startedRun,
  stepLogsAnswer,
  stepsAnswer,
} from '../../schemas/api-run-answers.ts';
import { pageAnswer } from '../page-answer.ts';
import { route } from '../route.ts';

const tag = 'Executions';

export const executionRoutes = [
  route({
    method: 'get',
    path: '/v1/pipelines/executions',
    operationId: 'listExecutions',
    tag,
    summary: 'Runs of all pipelines, newest first',
    role: 'viewer',
    query: executionsQuery,
    answers: { 200: { description: 'A page of runs.', schema: executionPage } },
    handle: async ({ actor, query: { page, size, ...filters } }, { runs }) => ({
      status: 200,
      body: pageAnswer(await runs.list(actor, filters, { page, size }), { page, size }),
    }),
  }),
  route({
    method: 'get',
    path: '/v1/pipelines/executions/{executionId}',
    operationId: 'getExecution',
    tag,
    summary: 'A run',
    role: 'viewer',
    answers: { 200: { description: 'The run.', schema: executionAnswer } },
    errors: [404],
    handle: async ({ actor, path }, { runs }) => ({ status: 200, body: await runs.get(actor, path.executionId) }),
  }),
  route({
    method: 'get',
    path: '/v1/pipelines/executions/{executionId}/steps',
    operationId: 'listSteps',
    tag,
    summary: 'Steps of a run, in order, all of them',
    role: 'viewer',
    answers: { 200: { description: 'The steps.', schema: stepsAnswer } },
    errors: [404],
    handle: async ({ actor, path }, { runs }) => ({
      status: 200,
      body: { data: await runs.steps(actor, path.executionId) },
    }),
  }),
  route({
    method: 'get',
    path: '/v1/pipelines/executions/{executionId}/steps/{step}/logs',
    operationId: 'getStepLogs',
    tag,
    summary: 'Lines that the attempts of a step logged, oldest first; the last 1,000 are kept',
    role: 'viewer',
    answers: { 200: { description: 'The lines.', schema: stepLogsAnswer } },
    errors: [404],
    handle: async ({ actor, path }, { runs }) => ({
      status: 200,
      body: { data: await runs.stepLogs(actor, path.executionId, path.step) },
    }),
  }),
  route({
    method: 'get',
    path: '/v1/pipelines/executions/{executionId}/quality',
    operationId: 'getQualityReport',
    tag,
    summary: "A run's quality report; 404 until there is one",
    role: 'viewer',
    answers: { 200: { description: 'The report.', schema: qualityReportAnswer } },
    errors: [404],
    handle: async ({ actor, path }, { runs }) => ({ status: 200, body: await runs.quality(actor, path.executionId) }),
  }),
  route({
    method: 'post',
    path: '/v1/pipelines/executions/{executionId}/retry',
    operationId: 'retryExecution',
    tag,
    summary: 'Run a closed run again, reusing what succeeded',
    role: 'operator',
    body: { schema: retryBody, optional: true },
    answers: { 202: { description: 'A new run was started.', schema: startedRun } },
    errors: [404, 409],
    handle: async ({ actor, path, body, reservedId }, { runs }) => ({
      status: 202,
      body: await runs.retry(actor, path.executionId, body, reservedId),
    }),
  }),
];
