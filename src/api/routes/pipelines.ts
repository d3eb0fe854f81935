/** The registry: pipelines and their revisions. */
import {
  pipelineAnswer,
  pipelinePage,
  pipelineWritten,
  revisionPage,
  validationAnswer,
} from '../../schemas/api-answers.ts';
import { executeBody, executionsQuery, pageQuery, pipelineBody } from '../../schemas/api-requests.ts';
import { executionPage, startedRun } from '../../schemas/api-run-answers.ts';
import { pageAnswer } from '../page-answer.ts';
import { route } from '../route.ts';

const tag = 'Pipelines';
/** Parameters stand in for values of any type, so the registry validates and not the schema (spec section 3). */
const document = { schema: pipelineBody, unchecked: true } as const;

export const pipelineRoutes = [
  route({
    method: 'post',
    path: '/v1/pipelines',
    operationId: 'createPipeline',
    tag,
    summary: 'Register a pipeline',
    role: 'operator',
    body: document,
    answers: { 201: { description: 'Registered, as revision 1.', schema: pipelineWritten } },
    errors: [409],
    handle: async ({ actor, body, reservedId }, { registry }) => ({
      status: 201,
      body: await registry.create(actor, body, reservedId),
    }),
  }),
  route({
    method: 'get',
    path: '/v1/pipelines',
    operationId: 'listPipelines',
    tag,
    summary: 'List pipelines, by name',
    role: 'viewer',
    query: pageQuery,
    answers: { 200: { description: 'A page of pipelines.', schema: pipelinePage } },
    handle: async ({ actor, query }, { registry }) => ({
      status: 200,
      body: pageAnswer(await registry.list(actor, query), query),
    }),
  }),
  route({
    method: 'post',
    path: '/v1/pipelines/validate',
    operationId: 'validatePipeline',
    tag,
    summary: 'Validate a document without storing it',
    role: 'viewer',
    body: document,
    answers: { 200: { description: 'All faults at once, each with its path.', schema: validationAnswer } },
    handle: async ({ body }, { registry }) => ({ status: 200, body: await registry.validate(body) }),
  }),
  route({
    method: 'get',
    path: '/v1/pipelines/{id}',
    operationId: 'getPipeline',
    tag,
    summary: 'A pipeline with its newest definition',
    role: 'viewer',
    answers: { 200: { description: 'The pipeline.', schema: pipelineAnswer } },
    errors: [404],
    handle: async ({ actor, path }, { registry }) => ({ status: 200, body: await registry.get(actor, path.id) }),
  }),
  route({
    method: 'put',
    path: '/v1/pipelines/{id}',
    operationId: 'updatePipeline',
    tag,
    summary: 'Add a revision, which new runs use',
    role: 'operator',
    body: document,
    answers: { 200: { description: 'The new revision.', schema: pipelineWritten } },
    errors: [404, 409],
    handle: async ({ actor, path, body }, { registry }) => ({
      status: 200,
      body: await registry.update(actor, path.id, body),
    }),
  }),
  route({
    method: 'delete',
    path: '/v1/pipelines/{id}',
    operationId: 'deletePipeline',
    tag,
    summary: 'Remove a pipeline; its runs stay, and open ones go on',
    role: 'operator',
    answers: { 204: { description: 'Removed.' } },
    errors: [404],
    handle: async ({ actor, path }, { registry }) => {
      await registry.remove(actor, path.id);
      return { status: 204 };
    },
  }),
  route({
    method: 'get',
    path: '/v1/pipelines/{id}/revisions',
    operationId: 'listRevisions',
    tag,
    summary: 'Revisions of a pipeline, newest first',
    role: 'viewer',
    query: pageQuery,
    answers: { 200: { description: 'A page of revisions.', schema: revisionPage } },
    errors: [404],
    handle: async ({ actor, path, query }, { registry }) => ({
      status: 200,
      body: pageAnswer(await registry.revisions(actor, path.id, query), query),
    }),
  }),
  ...(['enable', 'disable'] as const).map((verb) =>
    route({
      method: 'post',
      path: `/v1/pipelines/{id}/${verb}` as const,
      operationId: `${verb}Pipeline`,
      tag,
      summary: verb === 'enable' ? 'Let its schedule start runs' : 'Stop its schedule from starting runs',
      role: 'operator',
      answers: { 200: { description: 'The pipeline.', schema: pipelineAnswer } },
      errors: [404],
      handle: async ({ actor, path }, { registry }) => ({
        status: 200,
        body: await registry.setEnabled(actor, path.id, verb === 'enable'),
      }),
    }),
  ),
  route({
    method: 'post',
    path: '/v1/pipelines/{id}/execute',
    operationId: 'executePipeline',
    tag,
    summary: 'Start a run of the newest revision',
    role: 'operator',
    body: { schema: executeBody, optional: true },
    answers: { 202: { description: 'Started.', schema: startedRun } },
    errors: [404, 409],
    handle: async ({ actor, path, body, reservedId }, { runs }) => ({
      status: 202,
      body: await runs.start(actor, path.id, body, reservedId),
    }),
  }),
  route({
    method: 'get',
    path: '/v1/pipelines/{id}/executions',
    operationId: 'listExecutionsOfPipeline',
    tag,
    summary: 'Runs of a pipeline, newest first',
    role: 'viewer',
    query: executionsQuery.omit({ pipeline: true }),
    answers: { 200: { description: 'A page of runs.', schema: executionPage } },
    errors: [404],
    handle: async ({ actor, path, query: { page, size, ...filters } }, { registry, runs }) => {
      const { pipelineId } = await registry.get(actor, path.id);
      const found = await runs.list(actor, { ...filters, pipeline: pipelineId }, { page, size });
      return { status: 200, body: pageAnswer(found, { page, size }) };
    },
  }),
];
