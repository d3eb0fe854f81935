/**
 * `npm run histories`: runs `DataPipelineWorkflow` through what may happen to it, with stand-ins for its activities, and
 * keeps the histories that the replay tests replay. To be run when a behaviour is added, never to make a failing replay
 * pass: a recorded history stands for runs that are at work somewhere.
 */
import { access, mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { ApplicationFailure } from '@temporalio/common';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
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
import {
  runInput,
  type RunUnderTest,
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

/** Stack traces and identities say where a history was recorded, which replays the same without them. */
function withoutTraces(history: string): string {
  const traces = new Set(['stackTrace', 'identity']);
  const keep = (key: string, value: unknown) => (traces.has(key) ? undefined : value);
  return `${JSON.stringify(JSON.parse(history), keep, 1)}\n`;
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
    const file = fileURLToPath(new URL(`${name}.json`, FOLDER));
    const kept = await access(file).then(
      () => true,
      () => false,
    );
    if (kept) {
      console.log(`kept      ${name}`);
      continue;
    }
    const { options = { activities: {} }, input = runInput(), happens } = story();
    await using bench = await workflowBench({ address: server.address, namespace: NAMESPACE }, options);
    const run = await bench.start(input);
    await happens?.(run, bench, input);
    await run.result().catch(() => undefined);
    const history = await run.handle.fetchHistory();
    await writeFile(file, withoutTraces(historyToJSON(history)));
    console.log(`recorded  ${name} (${history.events?.length ?? 0} events)`);
  }
} finally {
  await server.stop();
}
