/** The audit log: every change, signal and answer (spec section 4). A trigger refuses to change what is written. */
import { and, count, desc, eq } from 'drizzle-orm';
import type { Database } from './database.ts';
import { offsetOf, type Page, type PageOf } from './page.ts';
import { auditLog } from './schema.ts';

export interface NewAuditEntry {
  tenant: string;
  /** The token's `sub`; `system` for what nobody asked for. */
  actor: string;
  /** What was done, such as `pipeline.create`. */
  action: string;
  /** The id of what it was done to. */
  subject: string;
  details: Record<string, unknown>;
  requestId: string;
}

export type AuditRow = typeof auditLog.$inferSelect;

export function auditRepository(database: Database) {
  return {
    /** Within the transaction of the change, so that neither is there without the other. */
    async append(...entries: NewAuditEntry[]): Promise<void> {
      if (entries.length === 0) return;
      const at = new Date();
      await database.insert(auditLog).values(entries.map((entry) => ({ ...entry, at })));
    },

    /** Newest first. */
    async list(
      tenant: string,
      page: Page,
      filters: { subject?: string | undefined; actor?: string | undefined; action?: string | undefined } = {},
    ): Promise<PageOf<AuditRow>> {
      const { subject, actor, action } = filters;
      const wanted = and(
        eq(auditLog.tenant, tenant),
        subject === undefined ? undefined : eq(auditLog.subject, subject),
        actor === undefined ? undefined : eq(auditLog.actor, actor),
        action === undefined ? undefined : eq(auditLog.action, action),
      );
      const [counted] = await database.select({ total: count() }).from(auditLog).where(wanted);
      const items = await database
        .select()
        .from(auditLog)
        .where(wanted)
        .orderBy(desc(auditLog.entry))
        .limit(page.size)
        .offset(offsetOf(page));
      return { items, total: counted?.total ?? 0 };
    },
  };
}
