/**
 * The demo's data path as one plain DuckDB script: no service, no Temporal, no staging, no Iceberg metadata; the same
 * questions, the same join, the same Parquet files by day. Run as a program with the folder to write into; prints the
 * milliseconds that it took.
 */
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';

const FLIGHTS = 'node_modules/vega-datasets/data/flights-3m.parquet';
const AIRPORTS = 'node_modules/vega-datasets/data/airports.csv';
const CHECKS = `
  select count(*), count(*) filter (date is null or delay is null or origin is null or destination is null),
    count(*) filter (delay < -120), count(*) filter (delay > 1440), count(*) filter (not distance between 1 and 6000),
    count(*) filter (not regexp_matches(origin, '^[A-Z]{3}$'))
  from flights;
  select count(*) from flights where origin not in (select iata from airports);
  select count(*) from flights where destination not in (select iata from airports);
  select count(*) from (select iata from airports group by iata having count(*) > 1);
  select count(*) from (select * from flights where origin = destination)`;
const LOCATED = `
  select cast(flights.date as date) as date, flights.date as departed_at, flights.origin, origins.city as origin_city,
    origins.state as origin_state, flights.destination, destinations.city as destination_city,
    destinations.state as destination_state, flights.distance, flights.delay, flights.delay > 15 as late
  from flights
  join airports as origins on origins.iata = flights.origin
  join airports as destinations on destinations.iata = flights.destination
  where flights.date >= date '2001-01-01' and flights.delay >= -120`;

const folder = process.argv[2];
if (folder === undefined) throw new Error('expected a folder to write into');
const startedAtMs = performance.now();
const instance = await DuckDBInstance.create(':memory:');
const connection = await instance.connect();
await connection.run(`create view flights as from read_parquet('${FLIGHTS}')`);
await connection.run(`create table airports as from read_csv('${AIRPORTS}', sample_size = -1)`);
for (const check of CHECKS.split(';')) await connection.run(check);
await connection.run(`
  copy (${LOCATED}) to '${join(folder, 'flights')}' (format parquet, compression zstd, partition_by (date), write_partition_columns true)`);
const ms = performance.now() - startedAtMs;
console.log(JSON.stringify({ ms }));
