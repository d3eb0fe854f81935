/** What the attempts of a step logged: the last lines of each step are kept (spec section 4). */
import { and, desc, eq, lte, sql } from 'drizzle-orm';
import type { Database } from './database.ts';
import { stepLogs } from './schema.ts';
import { storableText } from './storable-text.ts';

const KEPT_LINES = 1_000;
const MESSAGE_LIMIT = 10_000;
/** Lines above the kept ones are dropped once in so many lines. */
const LINES_PER_TRIM = 100;

export interface NewLogLine {
  at: Date;
  level: 'info' | 'warn' | 'error';
  message: string;
}

export interface LogLine extends NewLogLine {
  attempt: number;
}

export type LogRepository = ReturnType<typeof logRepository>;

export function logRepository(database: Database) {
  async function trim(executionId: string, step: string): Promise<void> {
    const ofStep = and(eq(stepLogs.executionId, executionId), eq(stepLogs.step, step));
    const newestToDrop = database
      .select({ line: stepLogs.line })
      .from(stepLogs)
      .where(ofStep)
      .orderBy(desc(stepLogs.line))
      .limit(1)
      .offset(KEPT_LINES);
    await database.delete(stepLogs).where(and(ofStep, lte(stepLogs.line, sql`(${newestToDrop})`)));
  }

  return {
    async append(executionId: string, step: string, attempt: number, lines: NewLogLine[]): Promise<void> {
      const kept = lines.slice(-KEPT_LINES);
      if (kept.length === 0) return;
      const rows = kept.map(({ message, ...line }) => ({
        ...line,
        message: storableText(message.slice(0, MESSAGE_LIMIT)),
      }));
      await database.execute(sql`
        insert into ${stepLogs} (execution_id, step, attempt, at, level, message)
        select ${executionId}, ${step}, ${attempt}::int, line.at, line.level, line.message
        from json_to_recordset(${JSON.stringify(rows)}::json) as line(at timestamptz, level text, message text)`);
      // Now and then is enough: nobody is shown more, and a step that logs little needs no second statement.
      if (Math.random() * LINES_PER_TRIM < kept.length) await trim(executionId, step);
    },

    /** Oldest first; the caller has checked whose execution it is. */
    async list(executionId: string, step: string): Promise<LogLine[]> {
      const newest = await database
        .select({ at: stepLogs.at, attempt: stepLogs.attempt, level: stepLogs.level, message: stepLogs.message })
        .from(stepLogs)
        .where(and(eq(stepLogs.executionId, executionId), eq(stepLogs.step, step)))
        .orderBy(desc(stepLogs.line))
        .limit(KEPT_LINES);
      return newest.reverse();
    },
  };
}
