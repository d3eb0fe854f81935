/**
 * (e) What a partition of a backfill costs when there are many, and that none is lost or loaded twice: 500 hours of one
 * row each into an Iceberg table, then 10,000 into another one while the service is killed three times on the way.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DuckDBInstance } from '@duckdb/node-api';
import { ApiClient } from '../../src/cli/api-client.ts';
import type { BackfillAnswer, StartedBackfill } from '../../src/schemas/api-backfills.ts';
import { readTable, tableState } from '../read-table.ts';
import type { ServiceProcess } from '../service-process.ts';
import { judged } from './bar.ts';
import { memoryOf, processorMsOf } from './process-usage.ts';
import { seconds } from './statistics.ts';
import { type StartBenched } from './with-service.ts';
import { withTemporal } from './with-temporal.ts';

const FEW = 500;
const MANY = 10_000;
const KILLS = [2_500, 5_000, 7_500];
const MOST_TIMES_FEW = 1.3;
const MOST_EVENTS = 10_000;
const HOUR_MS = 3_600_000;
const FIRST_HOUR_MS = Date.parse('2020-01-01T00:00:00Z');
const LOOK_EVERY_MS = 250;
const GIB = 1024 ** 3;

export async function benchBackfill(start: StartBenched, folder: string): Promise<string[]> {
  const source = join(folder, 'hours.parquet');
  await writeHours(source);
  const dataDir = join(folder, 'data');
  let service = await start();
  try {
    const few = await new Backfill(service, 'few', source).run(FEW);
    // A service that is as new as the one before was.
    await service.stop();
    service = await start();
    const many = new Backfill(service, 'many', source);
    const took = await many.run(MANY, async (at) => {
      console.error(`killing the service at ${at} of ${MANY} partitions`);
      process.kill(service.pid, 'SIGKILL');
      await service.failed.catch(() => undefined);
      service = await start();
      return service;
    });
    const { workflowId } = many.started;
    const table = await judgedTable(dataDir, 'bench.many');
    const events = await withTemporal(service.temporalAddress, async (client) => {
      const lengths: number[] = [];
      for await (const run of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
        lengths.push(run.historyLength);
      }
      return lengths;
    });
    const ofFew = few.workedMs / FEW;
    const ratio = (workedMs: number, partitions: number) =>
      judged({ value: workedMs / partitions / ofFew, most: MOST_TIMES_FEW, unit: 'x' });
    return [
      `a partition of ${MANY}: ${ratio(took.workedMs, MANY)} of one of ${FEW}, ${milliseconds(took.workedMs / MANY)} against ${milliseconds(ofFew)}`,
      `a partition of the last ${FEW} of ${MANY}: ${ratio(took.lastMs, FEW)}, ${milliseconds(took.lastMs / FEW)}; processor time of the service ${milliseconds(took.lastProcessorMs)} against ${milliseconds(few.lastProcessorMs)}`,
      `${MANY} partitions, the service killed ${KILLS.length} times: ${seconds(took.totalMs)}, of which ${seconds(took.totalMs - took.workedMs)} around the kills; ${table}`,
      `histories of the workflow: ${events.length}, the longest of ${judged({ value: Math.max(...events), most: MOST_EVENTS, unit: ' events' })}`,
      `memory of the last service: ${((await memoryOf(service.pid)).peakBytes / GIB).toFixed(2)} GiB at most`,
    ];
  } finally {
    await service.stop();
  }
}

interface Took {
  totalMs: number;
  /** Without the times around kills, and what was done in them is not counted as done in none. */
  workedMs: number;
  /** For the last {@link FEW}. */
  lastMs: number;
  /** What the service used for each of the last ones, which other work on the machine changes less. */
  lastProcessorMs: number;
}

class Backfill {
  started!: StartedBackfill;
  readonly #name: string;
  readonly #source: string;
  #api: ApiClient;
  #pid: number;

  constructor(service: ServiceProcess, name: string, source: string) {
    this.#name = name;
    this.#source = source;
    this.#api = new ApiClient({ url: service.url });
    this.#pid = service.pid;
  }

  /** @param kill answers the service that goes on */
  async run(partitions: number, kill?: (at: number) => Promise<ServiceProcess>): Promise<Took> {
    await this.#api.create({ type: 'application/json', text: JSON.stringify(pipeline(this.#name, this.#source)) });
    const hour = (n: number) => new Date(FIRST_HOUR_MS + n * HOUR_MS).toISOString();
    const range = { start: hour(0), end: hour(partitions) };
    const beganMs = performance.now();
    this.started = (await this.#api.backfill(this.#name, range, randomUUID())) as StartedBackfill;
    const kills = kill === undefined ? [] : KILLS.map((at) => ({ at, kill }));
    let awayMs = 0;
    let awayPartitions = 0;
    let lastFrom: { ms: number; done: number; processorMs: number } | undefined;
    for (;;) {
      const { status, counts } = await this.#status();
      const done = counts.COMPLETED;
      const [next] = kills;
      if (next !== undefined && done >= next.at) {
        kills.shift();
        const killedAtMs = performance.now();
        const service = await next.kill(next.at);
        this.#api = new ApiClient({ url: service.url });
        this.#pid = service.pid;
        const back = await this.#untilMore(done);
        awayMs += performance.now() - killedAtMs;
        awayPartitions += back - done;
      }
      if (lastFrom === undefined && done >= partitions - FEW) {
        lastFrom = { ms: performance.now(), done, processorMs: await processorMsOf(this.#pid) };
      }
      if (status !== 'RUNNING') {
        const nowMs = performance.now();
        if (status !== 'COMPLETED' || done !== partitions) throw new Error(`${status}: ${JSON.stringify(counts)}`);
        const totalMs = nowMs - beganMs;
        const share = partitions / (partitions - awayPartitions);
        const { ms, done: from, processorMs } = lastFrom ?? { ms: beganMs, done: 0, processorMs: 0 };
        const lastProcessorMs = ((await processorMsOf(this.#pid)) - processorMs) / Math.max(1, partitions - from);
        return {
          lastProcessorMs,
          totalMs,
          workedMs: (totalMs - awayMs) * share,
          lastMs: (nowMs - ms) * (FEW / Math.max(1, partitions - from)),
        };
      }
      await sleep(LOOK_EVERY_MS);
    }
  }

  /** How many are done when all that were at work at the kill have been taken up again. */
  async #untilMore(than: number): Promise<number> {
    for (;;) {
      const { counts, concurrency } = await this.#status();
      if (counts.COMPLETED > than + 2 * concurrency) return counts.COMPLETED;
      await sleep(LOOK_EVERY_MS);
    }
  }

  #status(): Promise<BackfillAnswer> {
    return this.#api.backfillStatus(this.started.backfillId);
  }
}

/** @throws Error when a row is missing, there twice, or a load was committed twice */
async function judgedTable(dataDir: string, table: string): Promise<string> {
  const state = await tableState(dataDir, table);
  const [rows] = await readTable(dataDir, table, 't', 'select count(*)::int as n, count(distinct n)::int as d from t');
  const ledgers = Object.entries(state?.properties ?? {}).filter(([key]) => key.startsWith('pipeline.'));
  const { ranges } = JSON.parse(ledgers[0]?.[1] ?? '{}') as { ranges?: [number, number][] };
  const whole = JSON.stringify([[FIRST_HOUR_MS, FIRST_HOUR_MS + MANY * HOUR_MS]]);
  const right =
    rows?.['n'] === MANY && rows['d'] === MANY && state?.commits === MANY && JSON.stringify(ranges) === whole;
  const told = `${Number(rows?.['d'])} rows, ${state?.commits ?? 0} commits, ${ledgers.length} entry of the ledger, ${state?.snapshots ?? 0} snapshots kept`;
  if (!right) throw new Error(`not each once: ${told}, ${JSON.stringify(ledgers)}`);
  return told;
}

function milliseconds(ms: number): string {
  return `${ms.toFixed(1)} ms`;
}

function pipeline(name: string, source: string) {
  return {
    name,
    version: '1',
    definition: {
      sources: { hours: { type: 'file', path: source, format: 'parquet' } },
      transformations: [{ name: 'trivial', engine: 'sql', sql: 'select h, n from hours' }],
      sinks: { lake: { type: 'iceberg', from: 'trivial', table: `bench.${name}`, partition_by: ['day(h)'] } },
      partitioning: { column: 'h', size: 'hour', timezone: 'UTC' },
    },
  };
}

async function writeHours(path: string): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const rows = `select timestamp '2020-01-01' + interval (n) hour as h, n::bigint as n from range(${MANY}) as r(n)`;
  await connection.run(`copy (${rows}) to '${path.replaceAll("'", "''")}' (format parquet)`);
  connection.closeSync();
  instance.closeSync();
}
