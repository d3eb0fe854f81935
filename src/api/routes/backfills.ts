/** Backfills: a range of a pipeline's time, partition by partition. */
import {
  backfillAnswer,
  backfillBody,
  backfillPreview,
  backfillQuery,
  backfillTold,
  partitionPage,
  partitionsQuery,
  startedBackfill,
} from '../../schemas/api-backfills.ts';
import { pageAnswer } from '../page-answer.ts';
import { route } from '../route.ts';

const tag = 'Backfills';

const VERBS = {
  pause: 'Begin no further partition; those at work go on',
  resume: 'Let a paused backfill go on',
  cancel: 'End what is at work and begin nothing more',
  retry: 'Process failed and cancelled partitions again, under the same id',
} as const;

export const backfillRoutes = [
  route({
    method: 'post',
    path: '/v1/pipelines/{id}/backfills',
    operationId: 'startBackfill',
    tag,
    summary: 'Process a range of time, partition by partition; with dryRun only say which',
    role: 'operator',
    body: { schema: backfillBody },
    answers: {
      200: { description: 'Of a dry run: what would be processed, what skipped and why.', schema: backfillPreview },
      202: { description: 'Started.', schema: startedBackfill },
    },
    errors: [404],
    handle: async ({ actor, path, body, reservedId }, { backfills }) =>
      body.dryRun
        ? { status: 200, body: await backfills.preview(actor, path.id, body) }
        : { status: 202, body: await backfills.start(actor, path.id, body, reservedId) },
  }),
  route({
    method: 'get',
    path: '/v1/backfills/{id}',
    operationId: 'getBackfill',
    tag,
    summary: 'How far a backfill is',
    role: 'viewer',
    query: backfillQuery,
    answers: { 200: { description: 'The backfill.', schema: backfillAnswer } },
    errors: [404],
    handle: async ({ actor, path, query }, { backfills }) => ({
      status: 200,
      body: await backfills.get(actor, path.id, query),
    }),
  }),
  route({
    method: 'get',
    path: '/v1/backfills/{id}/partitions',
    operationId: 'listPartitions',
    tag,
    summary: 'Partitions of a backfill, in the order in which they are begun',
    role: 'viewer',
    query: partitionsQuery,
    answers: { 200: { description: 'A page of partitions.', schema: partitionPage } },
    errors: [404],
    handle: async ({ actor, path, query }, { backfills }) => ({
      status: 200,
      body: pageAnswer(await backfills.partitions(actor, path.id, query), query),
    }),
  }),
  ...(['pause', 'resume', 'cancel', 'retry'] as const).map((verb) =>
    route({
      method: 'post',
      path: `/v1/backfills/{id}/${verb}` as const,
      operationId: `${verb}Backfill`,
      tag,
      summary: VERBS[verb],
      role: 'operator',
      answers: { 202: { description: 'Recorded; the backfill will get it.', schema: backfillTold } },
      errors: [404, 409],
      handle: async ({ actor, path: { id } }, { backfills }) => {
        await backfills.tell(actor, id, verb);
        return { status: 202, body: { backfillId: id, status: 'ACCEPTED' } };
      },
    }),
  ),
];
