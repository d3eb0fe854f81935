import { randomUUID } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { ApiClient } from '/tmp/w/lake/src/cli/api-client.ts';
import { startService } from '/tmp/w/lake/scripts/service-process.ts';
import { processorMsOf } from '/tmp/w/lake/scripts/bench/process-usage.ts';
const n = Number(process.argv[2] ?? 200);
const folder = await mkdtemp('/tmp/prof-');
const source = join(folder, 'hours.parquet');
const c = await (await DuckDBInstance.create(':memory:')).connect();
await c.run(`copy (select timestamp '2020-01-01' + interval (n) hour as h, n::bigint as n from range(10000) as r(n)) to '${source}' (format parquet)`);
const service = await startService({ dataDir: join(folder, 'data'), report: console.error, environment: process.argv[3] ? { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${process.argv[3]}` } : {} });
const api = new ApiClient({ url: service.url });
await api.create({ type: 'application/json', text: JSON.stringify({ name: 'p', version: '1', definition: {
  sources: { hours: { type: 'file', path: source, format: 'parquet' } },
  transformations: [{ name: 'trivial', engine: 'sql', sql: 'select h, n from hours' }],
  sinks: { lake: { type: 'iceberg', from: 'trivial', table: 'bench.p', partition_by: ['day(h)'] } },
  partitioning: { column: 'h', size: 'hour', timezone: 'UTC' } } }) });
const hour = (k: number) => new Date(Date.parse('2020-01-01T00:00:00Z') + k * 3600000).toISOString();
const t = performance.now(); const cpu0 = await processorMsOf(service.pid);
const { backfillId } = await api.backfill('p', { start: hour(0), end: hour(n) }, randomUUID()) as { backfillId: string };
let last = 0, lastT = t, lastC = cpu0;
for (;;) { const s = await api.backfillStatus(backfillId); const done = s.counts.COMPLETED;
  if (done - last >= 100 || s.status !== 'RUNNING') { const now = performance.now(), cpu = await processorMsOf(service.pid); console.log(done, ((now - lastT) / (done - last)).toFixed(1), 'ms wall', ((cpu - lastC) / (done - last)).toFixed(1), 'ms cpu'); last = done; lastT = now; lastC = cpu; }
  if (s.status !== 'RUNNING') { console.log(s.status, JSON.stringify(s.counts)); break; }
  await new Promise(r => setTimeout(r, 200)); }
await service.stop(); console.log(folder);
