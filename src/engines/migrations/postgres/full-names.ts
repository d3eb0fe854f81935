import type pg from 'pg';

/**
 * Runs `use` while no schema is searched, so that definitions come out of the catalogs with all names in full, and go
 * back in as they came, whatever the search path is by then. Within a transaction.
 */
export async function withFullNames<T>(client: pg.Client, use: () => Promise<T>): Promise<T> {
  const { rows } = await client.query<{ path: string }>(
    `SELECT current_setting('search_path') AS path, set_config('search_path', '', true)`,
  );
  const result = await use();
  // Not after an error: the transaction is over then, and the setting with it.
  await client.query(`SELECT set_config('search_path', $1, true)`, [rows[0]?.path ?? '']);
  return result;
}
