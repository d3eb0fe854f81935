/** Kinds of columns that every table of the store uses alike. */
import { timestamp } from 'drizzle-orm/pg-core';

/** What went wrong with a run or a step, as the API shows it; never a secret, never a row of data. */
export interface StoredError {
  /** An `EngineErrorType`, or what else the thrower calls it. */
  type: string;
  message: string;
}

export const instant = (name: string) => timestamp(name, { withTimezone: true, mode: 'date', precision: 3 });
