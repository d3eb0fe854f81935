import type pg from 'pg';

/** Runs what holds a user's own words, which the server refuses when they make it more than one statement. */
export async function single(client: pg.Client, sql: string): Promise<pg.QueryResult> {
  // Not in pg's types; see its documentation, "Query config object".
  const config: pg.QueryConfig & { queryMode: 'extended' } = { text: sql, queryMode: 'extended' };
  return client.query(config);
}

/**
 * Runs a user's own statements within the open transaction: from inside a block, where the server refuses COMMIT and
 * whatever else would end it.
 */
export async function runUserSql(client: pg.Client, sql: string): Promise<void> {
  const block = `BEGIN EXECUTE ${client.escapeLiteral(sql)}; END`;
  await client.query(`DO ${client.escapeLiteral(block)}`);
}
