import { defineConfig } from 'drizzle-kit';

/** `npx drizzle-kit generate --name <what-changed>` writes the next migration from the schema; applied ones never change. */
export default defineConfig({ dialect: 'postgresql', schema: './src/store/*schema.ts', out: './src/store/migrations' });
