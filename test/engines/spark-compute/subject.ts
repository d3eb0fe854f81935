import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import type { KillingProxy } from '../../support/killing-proxy.ts';
import type { S3Gateway } from '../../support/s3-gateway.ts';
import type { Service } from '../../support/service.ts';
import type { SparkStandalone } from '../../support/spark-standalone.ts';
import { Judge } from '../judge.ts';

/** The whole service, a real standalone Spark, and between them a proxy that does what a test wants. */
export interface Subject {
  spark: SparkStandalone;
  proxy: KillingProxy;
  service: Service;
  /** Of the service, while its staging is on a disk. */
  environment: Record<string, string>;
  /** A real S3 service, which the cluster reaches with keys of its own. */
  s3: S3Gateway;
}

export type Engine = 'duckdb' | 'spark';

/** Also with codes that are no numbers, and a header that needs mending: spaces, a name twice, none. */
const STRIKES = `id,day,seen_at,species,speed,night,note, code ,Code,
1,1990-01-08,1990-01-08T10:15:00,gull,120.5,false,,007,yes,NaN
2,1990-01-09,1990-01-09 23:59:59.25,"hawk, red",,true,"two
lines and ""quotes""",01.5,no,1.5
3,1990-02-01,,gull,98,true,Ärger,+7,yes,2.5
4,1990-02-01,1990-02-01 00:00:00,,1e3,false,,,,
4,1991-12-31,1991-12-31 12:00:00,owl,-4,,007,00,n,-2
`;
const SPECIES = [
  { name: 'gull', family: 'Laridae', wingspan: 1.2, eggs: 3 },
  { name: 'hawk, red', family: 'Accipitridae', wingspan: null, eggs: 2 },
];
/** Also with a column of each type that Parquet has and both engines read. */
const FLIGHTS = `SELECT i::INTEGER AS flight, i::BIGINT * 5000000000 AS long, (i / 4)::DECIMAL(9, 2) AS price,
  i::FLOAT / 3 AS ratio, TIMESTAMPTZ '2001-01-01 05:30:00+02' + INTERVAL 1 HOUR * i AS departs, encode('x' || i) AS raw,
  CASE WHEN i % 2 = 0 THEN 'gull' END AS species FROM range(4) AS r(i)`;

/** A CSV, a JSON and a Parquet file. */
export async function writeSources(folder: string): Promise<void> {
  await writeFile(join(folder, 'strikes.csv'), STRIKES);
  await writeFile(join(folder, 'species.json'), JSON.stringify(SPECIES));
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  await connection.run(`SET TimeZone = 'UTC'`);
  await connection.run(`COPY (${FLIGHTS}) TO '${join(folder, 'flights.parquet')}' (FORMAT parquet)`);
  connection.closeSync();
}

const QUICK = { initial_interval: '500ms', max_interval: '2s', max_attempts: 2 };
export const QUICK_RETRIES = Object.fromEntries(
  ['extract_data', 'validate_quality', 'run_sql', 'load_to_iceberg', 'write_file'].map((name) => [name, QUICK]),
);

export function sources(folder: string): Record<string, object> {
  return {
    strikes: { type: 'file', path: join(folder, 'strikes.csv'), format: 'csv' },
    species: { type: 'file', path: join(folder, 'species.json'), format: 'json' },
    flights: { type: 'file', path: join(folder, 'flights.parquet'), format: 'parquet' },
  };
}

export function judgeOf({ service }: Subject): Judge {
  const lake = join(service.dataDir, 'iceberg');
  return new Judge({ catalogFile: join(lake, 'catalog.db'), warehouse: join(lake, 'warehouse') });
}
