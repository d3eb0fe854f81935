import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';

/** PGlite or PostgreSQL, or a transaction on either: what repositories work with. */
export type Database = PgDatabase<PgQueryResultHKT>;
