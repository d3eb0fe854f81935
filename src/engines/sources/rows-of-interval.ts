import type { Dataset } from '../dataset.ts';
import type { DuckDbEngine } from '../duckdb/duckdb-engine.ts';
import { quoteIdentifier } from '../duckdb/quote.ts';
import { type Interval, withinInterval } from './interval.ts';
import { landParquet } from './land-parquet.ts';

/**
 * Those rows of what another system left that are in the interval; the dataset itself when it has no others, or not the
 * column: then it is taken whole.
 *
 * @param newFolder makes a folder for them: absolute, ends with `/`
 */
export async function rowsOfInterval(
  engine: DuckDbEngine,
  dataset: Dataset,
  interval: Interval,
  newFolder: () => Promise<string>,
  signal: AbortSignal,
): Promise<Dataset> {
  const others = await engine.withSession({ signal, inputs: { left: dataset } }, async (session) => {
    const { columns } = await session.describe('SELECT * FROM "left"');
    const column = columns.find(({ name }) => name.toLowerCase() === interval.column.toLowerCase());
    if (column === undefined) return 0;
    const within = withinInterval(interval, { ...column, sql: quoteIdentifier(column.name) });
    const [counted] = await session.rows(
      `SELECT count(*) FILTER (${within} IS NOT TRUE)::DOUBLE AS others FROM "left"`,
    );
    return Number(counted?.['others'] ?? 0);
  });
  if (others === 0) return dataset;
  const folder = await newFolder();
  const places = { signal, inputs: { left: dataset }, readable: [folder], writable: [folder] };
  return engine.withSession(places, (session) => landParquet(session, '"left"', folder, interval));
}
