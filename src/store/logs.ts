/** What the attempts of a step logged: the last lines of each step are kept (spec section 4). */
import { and, desc, eq, lte, sql } from 'drizzle-orm';
import type { Database } from './database.ts';
import { stepLogs } from './schema.ts';

const KEPT_LINES = 1_000;
const MESSAGE_LIMIT = 10_000;

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
  return {
    async append(executionId: string, step: string, attempt: number, lines: NewLogLine[]): Promise<void> {
      const kept = lines.slice(-KEPT_LINES);
      if (kept.length === 0) return;
      await database.insert(stepLogs).values(
        kept.map(({ at, level, message }) => {
          // PostgreSQL stores no NUL characters; a line that has one is still worth reading.
          const text = message.replaceAll('\0', '\u{fffd}').slice(0, MESSAGE_LIMIT);
          return { executionId, step, attempt, at, level, message: text };
        }),
      );
      const ofStep = and(eq(stepLogs.executionId, executionId), eq(stepLogs.step, step));
      const newestToDrop = database
        .select({ line: stepLogs.line })
        .from(stepLogs)
        .where(ofStep)
        .orderBy(desc(stepLogs.line))
        .limit(1)
        .offset(KEPT_LINES);
      await database.delete(stepLogs).where(and(ofStep, lte(stepLogs.line, sql`(${newestToDrop})`)));
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
