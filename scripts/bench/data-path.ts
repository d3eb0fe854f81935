/** (b) What the demo's data path costs: extract, check, join, Iceberg commit by day, against one plain DuckDB script. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { ApiClient } from '../../src/cli/api-client.ts';
import { judged } from './bar.ts';
import { memoryOf } from './process-usage.ts';
import { median, medianRatio, seconds } from './statistics.ts';
import { timedRun } from './timed-run.ts';
import { type StartBenched, withService } from './with-service.ts';
import { withTemporal } from './with-temporal.ts';

const ROUNDS = 9;
const MOST_TIMES_PLAIN = 1.5;
const MOST_GIB = 1.5;
const GIB = 1024 ** 3;
const PLAIN = fileURLToPath(new URL('plain-duckdb.ts', import.meta.url));

export function benchDataPath(start: StartBenched, folder: string): Promise<string[]> {
  return withService(start, (service) =>
    withTemporal(service.temporalAddress, async (client) => {
      const api = new ApiClient({ url: service.url });
      const ours: number[] = [];
      const plain: number[] = [];
      const steps = new Map<string, number[]>();
      // The first of each warms up what the others find warm.
      await runPlain(folder);
      await timedRun(api, client, await createPipeline(api, 0));
      for (let round = 1; round <= ROUNDS; round += 1) {
        const pipeline = await createPipeline(api, round);
        plain.push(await runPlain(folder));
        const { executionId, ms } = await timedRun(api, client, pipeline);
        ours.push(ms);
        for (const [step, stepMs] of await stepTimes(api, executionId))
          steps.set(step, [...(steps.get(step) ?? []), stepMs]);
      }
      const ratio = judged({ value: medianRatio(ours, plain), most: MOST_TIMES_PLAIN, unit: 'x' });
      const peakGib = (await memoryOf(service.pid)).peakBytes / GIB;
      return [
        `the demo's data path: ${ratio} of plain DuckDB, ${seconds(median(ours))} against ${seconds(median(plain))}`,
        `its steps: ${[...steps].map(([step, all]) => `${step} ${seconds(median(all))}`).join(', ')}`,
        `peak memory of the service: ${judged({ value: peakGib, most: MOST_GIB, unit: ' GiB' })}`,
      ];
    }),
  );
}

/** How long each step of a run took. */
async function stepTimes(api: ApiClient, executionId: string): Promise<[string, number][]> {
  const timed = (await api.steps(executionId)).map(({ step, startedAt, finishedAt }): [string, number] => [
    step,
    Date.parse(finishedAt ?? '') - Date.parse(startedAt ?? ''),
  ]);
  return timed.filter(([, ms]) => !Number.isNaN(ms));
}

/** How long the script says that it took, the start of its process left out. */
async function runPlain(folder: string): Promise<number> {
  const output = await mkdtemp(join(folder, 'plain-'));
  const { stdout } = await promisify(execFile)(process.execPath, [PLAIN, output]);
  await rm(output, { recursive: true });
  return (JSON.parse(stdout) as { ms: number }).ms;
}

/** The demo's pipeline with a table of its own and a gate that does not wait for a person. */
async function createPipeline(api: ApiClient, round: number): Promise<string> {
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
  return (await api.create({ type: 'application/json', text: JSON.stringify(document) })).pipelineId;
}
