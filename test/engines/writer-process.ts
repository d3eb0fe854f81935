/**
 * A process that loads into a table, as a worker does: `node writer-process.ts '<WriterOrders as JSON>'`. Prints the
 * name of each load when it is committed, one a line.
 */
import path from 'node:path';
import { DuckDbEngine } from '../../src/engines/duckdb/duckdb-engine.ts';
import { type IcebergLoadRequest, loadToIceberg } from '../../src/engines/iceberg/load-to-iceberg.ts';
import { LocalFileIo } from '../../src/engines/iceberg/local-file-io.ts';
import { RestCatalog } from '../../src/engines/iceberg/rest-catalog.ts';
import { SqlCatalog } from '../../src/engines/iceberg/sql-catalog.ts';

export interface WriterOrders {
  catalogFile: string;
  warehouse: string;
  /** Of the REST catalog to write through, instead of into that file. */
  restUri?: string;
  /** For this process alone. */
  spillFolder: string;
  table: string;
  partitionBy: string[];
  loads: Pick<IcebergLoadRequest, 'loadName' | 'input' | 'mode' | 'mergeKeys'>[];
}

const orders = JSON.parse(process.argv[2] ?? '') as WriterOrders;
const catalog =
  orders.restUri === undefined
    ? new SqlCatalog({ file: orders.catalogFile, name: 'matih', warehouse: orders.warehouse })
    : new RestCatalog({ uri: orders.restUri, io: new LocalFileIo() });
const duckdb = new DuckDbEngine({
  memoryLimitBytes: 256 * 1024 * 1024,
  threads: 1,
  spillFolder: path.resolve(orders.spillFolder),
});
for (const load of orders.loads) {
  const { table, partitionBy } = orders;
  // A worker tries a load again whose commits others were always quicker than; so does this.
  for (let attempt = 1; ; attempt += 1) {
    try {
      await loadToIceberg(
        { ...load, table, partitionBy, schemaEvolution: 'none' },
        { catalog, duckdb },
        { signal: AbortSignal.timeout(120_000), log: () => undefined, progress: () => undefined },
      );
      break;
    } catch (thrown) {
      if (attempt === 3 || !(thrown instanceof Error && 'retryable' in thrown && thrown.retryable === true))
        throw thrown;
    }
  }
  process.stdout.write(`${load.loadName}\n`);
}
await catalog.close();
await duckdb.close();
