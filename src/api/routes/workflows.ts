/** The running workflow: its status, signals to it, and gates that wait for a person. */
import { pageQuery, signalBody } from '../../schemas/api-requests.ts';
import { approvalPage, signalAnswer, workflowStatus } from '../../schemas/api-run-answers.ts';
import { pageAnswer } from '../page-answer.ts';
import type { Services } from '../app.ts';
import { route } from '../route.ts';

const tag = 'Workflows';

/** By the id that a workflow has from its start. A partition's run has its backfill's id, and more. */
const KINDS = [
  { ids: /^migration-/, kind: 'migrations' },
  { ids: /^maintenance-/, kind: 'maintenance' },
  { ids: /^backfill-[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/, kind: 'backfills' },
] as const;

/** Who answers for the workflow. */
function ownerOf(workflowId: string, services: Services): Services['runs' | (typeof KINDS)[number]['kind']] {
  return services[KINDS.find(({ ids }) => ids.test(workflowId))?.kind ?? 'runs'];
}

export const workflowRoutes = [
  route({
    method: 'get',
    path: '/v1/pipelines/workflows/{workflowId}/status',
    operationId: 'getStatus',
    tag,
    summary: 'How far a run, a backfill, a migration or a compaction is',
    role: 'viewer',
    answers: { 200: { description: 'The status.', schema: workflowStatus } },
    errors: [404],
    handle: async ({ actor, path: { workflowId } }, services) => ({
      status: 200,
      body: await ownerOf(workflowId, services).status(actor, workflowId),
    }),
  }),
  route({
    method: 'post',
    path: '/v1/pipelines/workflows/{workflowId}/signal',
    operationId: 'signalWorkflow',
    tag,
    summary: 'Answer the gate, cancel, pause or resume',
    description:
      'Answering the gate needs the role approver, everything else operator. Who answered is who asks. A migration can be answered and cancelled, a backfill all but answered, a compaction cancelled.',
    role: ({ name }) => (name === 'approval' ? 'approver' : 'operator'),
    body: { schema: signalBody },
    answers: { 202: { description: 'Recorded; the run will get it.', schema: signalAnswer } },
    errors: [404, 409],
    handle: async ({ actor, path: { workflowId }, body, reservedId }, services) => {
      await ownerOf(workflowId, services).signal(actor, workflowId, body, reservedId);
      return { status: 202, body: { workflowId, signal: body.name, status: 'ACCEPTED' } };
    },
  }),
  route({
    method: 'get',
    path: '/v1/approvals',
    operationId: 'listApprovals',
    tag,
    summary: 'Gates that wait for a person, the longest waiting first',
    role: 'viewer',
    query: pageQuery,
    answers: {
      200: {
        description: 'A page of them, with their quality reports; of migrations, with their impact.',
        schema: approvalPage,
      },
    },
    handle: async ({ actor, query }, { runs }) => ({
      status: 200,
      body: pageAnswer(await runs.approvals(actor, query), query),
    }),
  }),
];
