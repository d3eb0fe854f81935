/** The upkeep of Iceberg tables: compaction, expiry of snapshots, removal of files that no commit refers to. */
import {
  compactionBody,
  maintenanceAnswer,
  maintenancePage,
  maintenanceQuery,
  maintenanceTold,
  startedMaintenance,
} from '../../schemas/api-maintenance.ts';
import { pageAnswer } from '../page-answer.ts';
import { route } from '../route.ts';

const tag = 'Maintenance';

export const maintenanceRoutes = [
  route({
    method: 'post',
    path: '/v1/maintenance/compactions',
    operationId: 'startCompaction',
    tag,
    summary: 'Make small files large ones, expire snapshots, remove files that no commit refers to',
    description: 'One at a time of a table: while one runs, another is 409 and names it.',
    role: 'operator',
    body: { schema: compactionBody },
    answers: { 202: { description: 'Started.', schema: startedMaintenance } },
    errors: [409],
    handle: async ({ actor, body, reservedId }, { maintenance }) => ({
      status: 202,
      body: await maintenance.start(actor, body, reservedId),
    }),
  }),
  route({
    method: 'get',
    path: '/v1/maintenance/compactions',
    operationId: 'listCompactions',
    tag,
    summary: 'Compactions, the newest first',
    role: 'viewer',
    query: maintenanceQuery,
    answers: { 200: { description: 'A page of them.', schema: maintenancePage } },
    handle: async ({ actor, query }, { maintenance }) => ({
      status: 200,
      body: pageAnswer(await maintenance.list(actor, query), query),
    }),
  }),
  route({
    method: 'get',
    path: '/v1/maintenance/compactions/{id}',
    operationId: 'getCompaction',
    tag,
    summary: 'How far a compaction is, and what it did',
    role: 'viewer',
    answers: { 200: { description: 'The compaction.', schema: maintenanceAnswer } },
    errors: [404],
    handle: async ({ actor, path }, { maintenance }) => ({ status: 200, body: await maintenance.get(actor, path.id) }),
  }),
  route({
    method: 'post',
    path: '/v1/maintenance/compactions/{id}/cancel',
    operationId: 'cancelCompaction',
    tag,
    summary: 'End a compaction; what it has committed stays',
    role: 'operator',
    answers: { 202: { description: 'Recorded; the compaction will get it.', schema: maintenanceTold } },
    errors: [404, 409],
    handle: async ({ actor, path: { id } }, { maintenance }) => {
      await maintenance.cancel(actor, id);
      return { status: 202, body: { maintenanceId: id, status: 'ACCEPTED' } };
    },
  }),
];
