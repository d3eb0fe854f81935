import { fileURLToPath } from 'node:url';

/** Where drizzle-kit wrote the migrations, and where a database remembers which of them it has. */
export const MIGRATIONS = {
  migrationsFolder: fileURLToPath(new URL('./migrations', import.meta.url)),
  migrationsSchema: 'public',
  migrationsTable: 'schema_migrations',
};
