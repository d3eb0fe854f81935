/** Quality reports, with their example rows, which no history of a workflow ever holds. */
import { eq, notExists, sql } from 'drizzle-orm';
import type { Database } from './database.ts';
import { gates, qualityReports } from './schema.ts';

export type QualityRow = typeof qualityReports.$inferSelect;

export function qualityRepository(database: Database) {
  return {
    /** The last attempt's report counts, until the gate is open: what a person judges by does not change any more. */
    async save(executionId: string, score: number, report: unknown): Promise<void> {
      const createdAt = sql`clock_timestamp()`;
      const gate = database.select().from(gates).where(eq(gates.executionId, executionId));
      await database
        .insert(qualityReports)
        .values({ executionId, score, report, createdAt })
        .onConflictDoUpdate({
          target: qualityReports.executionId,
          set: { score, report, createdAt },
          setWhere: notExists(gate),
        });
    },

    async find(executionId: string): Promise<QualityRow | undefined> {
      const [row] = await database.select().from(qualityReports).where(eq(qualityReports.executionId, executionId));
      return row;
    },
  };
}
