/** The append-only audit log. */
import { auditPage, auditQuery } from '../../schemas/api.ts';
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
    handle: async ({ actor, query: { page, size, subject } }, { store }) => {
      const found = await store.audit.list(actor.tenant, { ...(subject !== undefined && { subject }) }, { page, size });
      const items = found.items.map((entry) => ({ ...entry, at: entry.at.toISOString() }));
      return { status: 200, body: pageAnswer({ items, total: found.total }, { page, size }) };
    },
  }),
];
