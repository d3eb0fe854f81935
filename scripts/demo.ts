/**
 * `npm run demo`: the main job on 3,000,000 real flights, everything embedded. Starts the service, registers and runs
 * examples/flights.yaml, shows its progress, asks the gate's question, shows the table, and says where to look further.
 */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs, styleText } from 'node:util';
import { ApiClient, ApiError } from '../src/cli/api-client.ts';
import { EXIT, exitCodeOf } from '../src/cli/exit-codes.ts';
import { bar, colored, renderQuality, table } from '../src/cli/render.ts';
import { followRun } from '../src/cli/watch.ts';
import type { WorkflowStatus } from '../src/schemas/api-run-answers.ts';
import { readTable } from './read-table.ts';
import { type ServiceProcess, startService } from './service-process.ts';

const HELP = `npm run demo -- [options]
  --yes    approve at the quality gate without asking
  --no     reject there
  --exit   end when the run has ended, with its exit code (0 completed, 1 failed, 3 cancelled)
  --help   this text
DATA_DIR (default .data/demo) keeps what the demo makes; PORT (default 8092) is where its API listens.`;
const DEFINITION = 'examples/flights.yaml';
const TABLE = 'demo.daily_delays';
const RESULTS = `select origin, airport, state, sum(flights)::bigint as flights, round(sum(mean_delay * flights) / sum(flights), 1) as mean_delay_min
  from daily_delays group by all having sum(flights) > 10000 order by mean_delay_min desc limit 8`;

const { values: options } = parseArgs({
  options: {
    yes: { type: 'boolean', default: false },
    no: { type: 'boolean', default: false },
    exit: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const terminal = process.stdout.isTTY;

if (options.help) console.log(HELP);
else if (options.yes && options.no) {
  console.error('--yes and --no contradict each other\n\n' + HELP);
  process.exitCode = EXIT.usage;
} else await demo();

async function demo(): Promise<void> {
  const dataDir = resolve(process.env['DATA_DIR'] ?? '.data/demo');
  say('pipeline-service demo: 3,000,000 flights of 2001, checked, joined and loaded into Apache Iceberg');
  let service: ServiceProcess;
  try {
    service = await startService({
      dataDir,
      ...(process.env['PORT'] !== undefined && { port: Number(process.env['PORT']) }),
      report: say,
    });
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = EXIT.failed;
    return;
  }
  const stopped = new Promise<void>((stop) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
  });
  try {
    const status = await runPipeline(new ApiClient({ url: service.url }), dataDir, service);
    process.exitCode = exitCodeOf(status);
    if (!options.exit) {
      say('\nThe service stays up for you to look around; Ctrl-C ends it.');
      await stopped;
    }
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    if (error instanceof ApiError) for (const { path, message } of error.faults) console.error(`  ${path}: ${message}`);
    process.exitCode = EXIT.failed;
  } finally {
    await service.stop();
  }
}

async function runPipeline(api: ApiClient, dataDir: string, service: ServiceProcess): Promise<WorkflowStatus> {
  const document = { type: 'application/yaml' as const, text: await readFile(DEFINITION, 'utf8') };
  const written = await api.create(document).catch((error: unknown) => {
    if (error instanceof ApiError && error.status === 409) return api.update('flights-delays', document);
    throw error;
  });
  say(`registered ${written.name} ${written.version} (revision ${written.revision}) from ${DEFINITION}`);
  const { executionId, workflowId } = await api.execute(written.name, {}, randomUUID());
  say(`started ${executionId}\n`);

  const draw = progressDrawing();
  let status = await followRun(api, workflowId, { untilGate: true, onChange: draw });
  if (status.status === 'RUNNING') {
    say(`\nThe quality gate is open: the data is not as good as the pipeline wants.\n`);
    say(renderQuality(await api.quality(executionId)));
    const approved = await decide(executionId);
    if (approved !== undefined) {
      await api.signal(workflowId, 'approval', { approved, comment: 'answered in the demo' });
      say(approved ? '\napproved; going on\n' : '\nrejected\n');
    }
    status = await followRun(api, workflowId, { untilGate: false, onChange: progressDrawing() });
  }

  say(`\n${colored(status.status)}${status.result?.reason === undefined ? '' : `: ${status.result.reason}`}`);
  if (status.status === 'COMPLETED') {
    const rows = await readTable(dataDir, TABLE, 'daily_delays', RESULTS);
    const columns = Object.keys(rows[0] ?? {});
    say(`\nThe busiest airports with the longest delays, from ${TABLE}:`);
    say(
      table(
        columns,
        rows.map((row) => columns.map((column) => String(row[column]))),
      ),
    );
  }
  lookFurther(service, dataDir, executionId, workflowId);
  return status;
}

/** The answer to the gate's question; undefined when there is nobody to ask here. */
async function decide(executionId: string): Promise<boolean | undefined> {
  if (options.yes || options.no) return options.yes;
  if (!process.stdin.isTTY) {
    say(`\nAnswer from another terminal: npm run pipelines -- approve ${executionId}   (or reject)`);
    return undefined;
  }
  const prompt = createInterface({ input: process.stdin, output: process.stdout });
  try {
    for (;;) {
      const answer = (await prompt.question('\nLoad it nevertheless? [y/n] ')).trim().toLowerCase();
      if (['y', 'yes'].includes(answer)) return true;
      if (['n', 'no'].includes(answer)) return false;
    }
  } finally {
    prompt.close();
  }
}

/** On a terminal a bar that moves; elsewhere a line for each step that changed. */
function progressDrawing(): (status: WorkflowStatus) => void {
  const told = new Set<string>();
  let drawn = 0;
  return (status) => {
    const lines = status.activities.map(({ step, status: state, duration }) => ({
      key: `${step} ${state}`,
      text: `  ${step.padEnd(22)} ${colored(state)} ${duration ?? ''}`,
    }));
    if (terminal) {
      if (drawn > 0) process.stdout.write(`\u001b[${drawn}A\u001b[0J`);
      console.log([`  ${bar(status.progress)}`, ...lines.map(({ text }) => text)].join('\n'));
      drawn = lines.length + 1;
      return;
    }
    for (const { key, text } of lines) {
      if (!told.has(key)) console.log(text);
      told.add(key);
    }
  };
}

function lookFurther(service: ServiceProcess, dataDir: string, executionId: string, workflowId: string): void {
  const catalog = join(dataDir, 'iceberg', 'catalog.db');
  say(styleText('bold', '\nLook further'));
  say(`  status    ${service.url}/v1/pipelines/workflows/${encodeURIComponent(workflowId)}/status`);
  say(`  quality   ${service.url}/v1/pipelines/executions/${executionId}/quality`);
  say(`  API       ${service.url}/docs`);
  say(`  metrics   ${service.url}/metrics`);
  if (service.temporalUi !== undefined) say(`  Temporal  ${service.temporalUi}`);
  say(`  log       ${service.logFile}`);
  say(`  the table, from Python:`);
  say(`    pip install 'pyiceberg[sql-sqlite,pyarrow]'`);
  say(`    python3 -c "from pyiceberg.catalog.sql import SqlCatalog`);
  say(`    print(SqlCatalog('matih', uri='sqlite:///${catalog}').load_table('${TABLE}').scan().to_arrow())"`);
}

function say(text: string): void {
  console.log(text);
}
