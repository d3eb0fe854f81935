/** How far incremental sources were read by the runs that completed. */
import { and, eq, sql } from 'drizzle-orm';
import type { Watermark } from '../workflows/messages.ts';
import type { Database } from './database.ts';
import { watermarks } from './schema.ts';

export function watermarkRepository(database: Database) {
  return {
    async get(pipelineId: string, source: string): Promise<{ column: string; value: string } | undefined> {
      const [row] = await database
        .select({ column: watermarks.column, value: watermarks.value })
        .from(watermarks)
        .where(and(eq(watermarks.pipelineId, pipelineId), eq(watermarks.source, source)));
      return row;
    },
  };
}

const NUMBER = '^-?[0-9]+([.][0-9]+)?$';

/**
 * Moves a watermark on. A run that started from the value that is stored moves it wherever it got to; one that started
 * elsewhere, since another run completed meanwhile, moves it forward only (numbers as numbers, all else as text), so
 * that rows which the other one has loaded are not read again.
 */
export async function advanceWatermark(
  transaction: Database,
  { pipelineId, executionId }: { pipelineId: string; executionId: string },
  { source, column, from, value }: Watermark,
): Promise<void> {
  if (value === null) return;
  const updatedAt = sql`clock_timestamp()`;
  const stored = watermarks.value;
  const forward = sql`case when ${value} ~ ${NUMBER} and ${stored} ~ ${NUMBER}
    then ${value}::text::numeric > ${stored}::numeric else ${value} collate "C" > ${stored} collate "C" end`;
  await transaction
    .insert(watermarks)
    .values({ pipelineId, source, column, value, executionId, updatedAt })
    .onConflictDoUpdate({
      target: [watermarks.pipelineId, watermarks.source],
      set: { value, executionId, updatedAt },
      setWhere: sql`${stored} = ${from} or ${forward}`,
    });
}
