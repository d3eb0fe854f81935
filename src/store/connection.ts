import type { Database } from './database.ts';

export interface Connection {
  database: Database;
  close(): Promise<void>;
}
