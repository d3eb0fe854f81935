/** The append-only audit log. */
import { auditPage } from '../../schemas/api-answers.ts';
import { auditQuery } from '../../schemas/api-requests.ts';
import { pageAnswer } from '../page-answer.ts';
import { route } from '../route.ts';

export const auditRoutes = [
  route({
    method: 'get',
    path: '/v1/audit',
    operationId: 'listAudit',
    tag: 'Audit',
    summary: 'Every change, signal and answer, newest first',
    role: 'viewer',
    query: auditQuery,
    answers: { 200: { description: 'A page of entries.', schema: auditPage } },
    handle: async ({ actor, query: { page, size, ...filters } }, { store }) => {
      const { items, total } = await store.audit.list(actor.tenant, { page, size }, filters);
      const entries = items.map(({ tenant: _tenant, ...entry }) => ({ ...entry, at: entry.at.toISOString() }));
      return { status: 200, body: pageAnswer({ items: entries, total }, { page, size }) };
    },
  }),
];
