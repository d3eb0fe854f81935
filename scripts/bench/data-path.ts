/** (b) What the demo's data path costs: extract, check, join, Iceberg commit by day, against one plain DuckDB script. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { ApiClient } from '../../src/cli/api-client.ts';
import { followRun } from '../../src/cli/watch.ts';
import type { ServiceProcess } from '../service-process.ts';
import { median, seconds } from './statistics.ts';

const ROUNDS = 5;
const GIB = 1024 ** 3;

export async function benchDataPath(service: ServiceProcess, folder: string): Promise<string> {
  const api = new ApiClient({ url: service.url });
  const ours: number[] = [];
  const plain: number[] = [];
  for (let round = -1; round < ROUNDS; round += 1) {
    const bare = await runPlain(folder);
    const ms = await runPipeline(api, round + 1);
    // The first round warms up.
    if (round < 0) continue;
    plain.push(bare.ms);
    ours.push(ms);
  }
  const ratio = median(ours.map((ms, round) => ms / (plain[round] ?? ms)));
  const peakBytes = await peakMemory(service.pid);
  return [
    `the demo's data path: ${ratio.toFixed(2)}x of plain DuckDB (${seconds(median(ours))} against ${seconds(median(plain))}; bar 1.5x)`,
    `peak memory of the service: ${(peakBytes / GIB).toFixed(2)} GiB (bar 1.5 GiB)`,
  ].join('\n');
}

async function runPlain(folder: string): Promise<{ ms: number }> {
  const output = await mkdtemp(join(folder, 'plain-'));
  const program = fileURLToPath(new URL('plain-duckdb.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program, output]);
  await rm(output, { recursive: true });
  return JSON.parse(stdout) as { ms: number };
}

/** The demo's pipeline with a table of its own and a gate that does not wait for a person. */
async function runPipeline(api: ApiClient, round: number): Promise<number> {
  const document = parse(await readFile('examples/flights.yaml', 'utf8')) as {
    name: string;
    definition: {
      quality_checks: { checks: { severity?: string }[]; min_score: number };
      sinks: Record<string, { table: string }>;
    };
  };
  document.name = `bench-flights-${round}`;
  document.definition.quality_checks.min_score = 0;
  for (const check of document.definition.quality_checks.checks) check.severity = 'WARNING';
  for (const sink of Object.values(document.definition.sinks)) sink.table = `bench.flights_${round}`;
  const { pipelineId } = await api.create({ type: 'application/json', text: JSON.stringify(document) });

  const startedAtMs = performance.now();
  const { workflowId, executionId } = await api.execute(pipelineId, {}, randomUUID());
  const { status, result } = await followRun(api, workflowId, {
    untilGate: true,
    onChange: () => undefined,
    pollMs: 20,
  });
  if (status !== 'COMPLETED') throw new Error(`the run ended ${status}: ${result?.reason ?? executionId}`);
  return performance.now() - startedAtMs;
}

async function peakMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}
