/**
 * `npm run histories`: runs workflows through what may happen to them, with stand-ins for what they work on, and
 * keeps the histories that the replay tests replay. To be run when a behaviour is added, never to make a failing replay
 * pass: a recorded history stands for runs that are at work somewhere.
 */
import { access, mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { PipelineActivities } from '../src/activities/pipeline-activities.ts';
import { loadConfig } from '../src/config.ts';
import { createLogger } from '../src/logger.ts';
import { startDevServer } from '../src/temporal/dev-server.ts';
import { findTemporal } from '../src/temporal/find-temporal.ts';
import {
  approvalSignal,
  cancellationSignal,
  pauseSignal,
  type PipelineRunInput,
  resumeSignal,
} from '../src/workflows/messages.ts';
import { untilCancelled } from '../test/support/until-cancelled.ts';
import { type BackfillBench, backfillBench } from '../test/support/backfill-bench.ts';
import { ACTOR, type MigrationBench, migrationBench, threeTables } from '../test/support/migration-workflow.ts';
import {
  type Call,
  runInput,
  type RunUnderTest,
  standInActivities,
  StandInStore,
  type WorkflowBench,
  workflowBench,
} from '../test/support/pipeline-workflow.ts';

const FOLDER = new URL('../test/replay/histories/', import.meta.url);
const NAMESPACE = 'histories';

type Options = Parameters<typeof workflowBench>[1];
interface Story {
  options?: Options;
  input?: PipelineRunInput;
  happens?: (run: RunUnderTest, bench: WorkflowBench, input: PipelineRunInput) => Promise<void>;
}

const atGate = (run: RunUnderTest) => run.until(({ pendingSignals }) => pendingSignals.includes('approval'));
const answered =
  (kind: 'approved' | 'rejected'): NonNullable<Story['happens']> =>
  async (run, { store }, { executionId }) => {
    await atGate(run);
    store.answers.set(executionId, { answerId: '1', kind, answeredBy: 'jane' });
    await run.handle.signal(approvalSignal, { answerId: '1' });
  };
const failing = () => Promise.reject(ApplicationFailure.create({ message: 'no', type: 'JobFailedError' }));
const gated = (): Options => ({ activities: {}, score: 0.5 });

const STORIES: Record<string, () => Story> = {
  completed: () => ({}),
  'gate-approved': () => ({ options: gated(), happens: answered('approved') }),
  'gate-rejected': () => ({ options: gated(), happens: answered('rejected') }),
  'gate-expired-after-reminder': () => ({
    options: gated(),
    input: runInput({ gate: { timeoutMs: 400, remindAfterMs: [100] } }),
  }),
  'gate-unrecorded-signal-then-cancelled': () => ({
    options: gated(),
    happens: async (run) => {
      await atGate(run);
      await run.handle.signal('approval', { approved: true });
      await run.until(({ notes }) => notes.length > 0);
      await run.handle.signal(cancellationSignal, { reason: 'enough' });
    },
  }),
  'paused-and-resumed': () => ({
    options: gated(),
    happens: async (run, bench, input) => {
      await run.handle.signal(pauseSignal);
      await run.until(({ paused }) => paused);
      await run.handle.signal(resumeSignal);
      await answered('approved')(run, bench, input);
    },
  }),
  'transformation-failed': () => ({ options: { activities: { run_sql: failing } } }),
  'notification-failed': () => ({ options: { activities: { notify_pipeline_completion: failing } } }),
  'deadline-exceeded-at-gate': () => ({ options: gated(), input: runInput({ deadlineMs: 500 }) }),
  'waited-for-slot': () => {
    const store = new StandInStore();
    store.slotsFree = 0;
    return {
      options: { activities: {}, store },
      input: runInput({ maxRuns: 1 }),
      happens: async (run) => {
        await run.until(({ currentActivity }) => currentActivity === 'wait_for_slot');
        store.slotsFree = 1;
        await run.handle.signal('slotFreed');
      },
    };
  },
  'worker-shut-down': () => {
    let attempts = 0;
    const write = () => {
      attempts += 1;
      const lost = ApplicationFailure.create({ type: 'WorkerShutdown', nextRetryDelay: '10ms' });
      return attempts < 4 ? Promise.reject(lost) : Promise.resolve({ rows: 1 });
    };
    return { options: { activities: { write_file: write } } };
  },
  'retry-reuses-steps': () => {
    const input = runInput();
    const output = { uri: 'file:///kept/', rows: 1, bytes: 1 };
    input.reused = {
      'extract:a': { output },
      'extract:b': { output },
      quality: {},
      gate: {},
      'transform:first': { output },
    };
    return { input };
  },
};

/** Of a backfill whose partitions are runs, and of one of those: what happened, and the workflows to keep, by file. */
const BACKFILLS: Record<string, (bench: BackfillBench) => Promise<{ backfillId: string; run?: string }>> = {
  'runs-completed': async (bench) => {
    const backfillId = await bench.start(3, { concurrency: 2 });
    await bench.ended(backfillId);
    return { backfillId };
  },
  'runs-below-threshold-retried': async (bench) => {
    const backfillId = await bench.start(2, {}, 'doubtful');
    await bench.ended(backfillId);
    await bench.tell(backfillId, 'retry');
    await bench.ended(backfillId);
    return { backfillId, run: 'run-of-partition-below-threshold' };
  },
  'runs-cancelled': async (bench) => {
    const backfillId = await bench.start(3, { concurrency: 2 }, 'endless');
    while (bench.calls.filter(({ activity }) => activity === 'trigger_airflow_dag').length < 2) await sleep(20);
    await bench.tell(backfillId, 'cancel');
    await bench.ended(backfillId);
    return { backfillId, run: 'run-of-partition-cancelled' };
  },
};

/** Stand-ins that do what the ids of their backfills say. */
function doingAsNamed(calls: Call[]): Partial<PipelineActivities> {
  const otherwise = standInActivities(calls);
  return {
    validate_quality: (input) =>
      /^doubtful-1-/.test(input.executionId)
        ? Promise.resolve({ score: 0, needsApproval: true })
        : otherwise.validate_quality(input),
    async trigger_airflow_dag(input) {
      if (input.stop === true) return {};
      const answer = await otherwise.trigger_airflow_dag(input);
      return input.executionId.startsWith('endless') ? untilCancelled() : answer;
    },
  };
}

/** Histories of one migration, by name: it ends once for each workflow that it had. */
type Keep = (name: string, workflowId: string) => Promise<void>;
const MIGRATIONS: Record<string, (bench: MigrationBench, name: string, keep: Keep) => Promise<void>> = {
  'migration-completed': async (bench, name, keep) => {
    await keep(name, (await bench.ended(await bench.start())).workflowId);
  },
  'migration-rolled-back': async (bench, name, keep) => {
    const id = await bench.start();
    bench.tables.fail('verify 1');
    await keep(name, (await bench.ended(id)).workflowId);
  },
  'migration-restore-failed': async (bench, name, keep) => {
    const id = await bench.start();
    bench.tables.fail('apply 2');
    bench.tables.fail('restore 0');
    const { workflowId } = await bench.ended(id);
    await keep(name, workflowId);
    bench.tables.mend('restore 0');
    await bench.migrations.retry(ACTOR, id, 'again');
    await bench.ended(id);
    await keep('migration-restore-retried', workflowId);
  },
  'migration-gate-approved': async (bench, name, keep) => {
    const id = await bench.start(threeTables({ requires_approval: true }));
    const open = await bench.until(id, ({ steps }) =>
      steps.some(({ step, status }) => step === 'gate' && status === 'RUNNING'),
    );
    const yes = { name: 'approval', data: { approved: true } } as const;
    await bench.migrations.signal(ACTOR, open.workflowId, yes, 'yes');
    await keep(name, (await bench.ended(id)).workflowId);
  },
  'migration-cancelled': async (bench, name, keep) => {
    const id = await bench.start();
    await bench.tables.hang('apply 1').reached;
    const { workflowId } = await bench.migrations.get(ACTOR, id);
    await bench.client.workflow.getHandle(workflowId).signal(cancellationSignal, { reason: 'enough' });
    await bench.ended(id);
    await keep(name, workflowId);
  },
};

/** Stack traces and identities say where a history was recorded, which replays the same without them. */
function withoutTraces(history: string): string {
  const traces = new Set(['stackTrace', 'identity']);
  const keep = (key: string, value: unknown) => (traces.has(key) ? undefined : value);
  return `${JSON.stringify(JSON.parse(history), keep, 1)}\n`;
}

const fileOf = (name: string) => fileURLToPath(new URL(`${name}.json`, FOLDER));

async function isKept(name: string): Promise<boolean> {
  const kept = await access(fileOf(name)).then(
    () => true,
    () => false,
  );
  if (kept) console.log(`kept      ${name}`);
  return kept;
}

async function keep(name: string, history: Awaited<ReturnType<RunUnderTest['handle']['fetchHistory']>>): Promise<void> {
  await writeFile(fileOf(name), withoutTraces(historyToJSON(history)));
  console.log(`recorded  ${name} (${history.events?.length ?? 0} events)`);
}

const { cacheDir } = loadConfig({ XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'] });
const binary = await findTemporal(cacheDir, (line) => {
  console.error(line);
});
const server = await startDevServer({
  binary,
  namespaces: [NAMESPACE],
  logger: createLogger('error'),
  dataDir: undefined,
});
await mkdir(FOLDER, { recursive: true });
try {
  for (const [name, story] of Object.entries(STORIES)) {
    if (await isKept(name)) continue;
    const { options = { activities: {} }, input = runInput(), happens } = story();
    await using bench = await workflowBench({ address: server.address, namespace: NAMESPACE }, options);
    const run = await bench.start(input);
    await happens?.(run, bench, input);
    await run.result().catch(() => undefined);
    await keep(name, await run.handle.fetchHistory());
  }
  for (const [name, happens] of Object.entries(BACKFILLS)) {
    if (await isKept(`backfill-${name}`)) continue;
    const calls: Call[] = [];
    await using bench = await backfillBench(
      { address: server.address, namespace: NAMESPACE },
      doingAsNamed(calls),
      calls,
    );
    const { backfillId, run } = await happens(bench);
    await keep(`backfill-${name}`, await bench.client.workflow.getHandle(`backfill-${backfillId}`).fetchHistory());
    const first = (await bench.runs(backfillId)).find(({ executionId }) => executionId.endsWith('-1-0'));
    if (run === undefined || first === undefined) continue;
    await keep(run, await bench.client.workflow.getHandle(first.workflowId).fetchHistory());
  }
  for (const [name, story] of Object.entries(MIGRATIONS)) {
    if (await isKept(name)) continue;
    await using bench = await migrationBench({ address: server.address, namespace: NAMESPACE });
    await story(bench, name, async (file, workflowId) => {
      await keep(file, await bench.client.workflow.getHandle(workflowId).fetchHistory());
    });
  }
} finally {
  await server.stop();
}
