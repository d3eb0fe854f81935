/**
 * `npm run demo`: the main job on 3,000,000 real flights, everything embedded. Starts the service, registers and runs
 * examples/flights.yaml, shows its progress, asks the gate's question, shows the table, and says where to look further.
 */
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ApiClient, ApiError } from '../src/cli/api-client.ts';
import { applyDocument } from '../src/cli/commands/pipeline-commands.ts';
import { EXIT, exitCodeOf } from '../src/cli/exit-codes.ts';
import { ProgressView } from '../src/cli/progress-view.ts';
import { renderError } from '../src/cli/render-error.ts';
import { renderQuality } from '../src/cli/render-quality.ts';
import { colored } from '../src/cli/render.ts';
import { followRun } from '../src/cli/watch.ts';
import { loadClientConfig } from '../src/config.ts';
import { messageOf } from '../src/errors.ts';
import type { StartedRun, WorkflowStatus } from '../src/schemas/api-run-answers.ts';
import { preferredPort } from './demo/preferred-port.ts';
import { readExample } from './demo/flights-example.ts';
import { askAtGate } from './demo/gate-question.ts';
import { lookFurther, pipelinesCommand } from './demo/look-further.ts';
import { describeTable } from './demo/show-table.ts';
import { type ServiceProcess, startService } from './service-process.ts';

const HELP = `npm run demo -- [options]
  --yes    approve at the quality gate without asking
  --no     reject there
  --exit   end when the run has ended, with its exit code: 0 completed, 1 failed, 3 cancelled, 4 waits for an answer
  --help   this text
DATA_DIR (.data/demo when unset) keeps what the demo makes; its API listens on PORT, or on 8092, or where it is free.`;
const SIGNAL_EXIT = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

interface DemoOptions {
  /** At the gate; undefined asks. */
  answer: boolean | undefined;
  exit: boolean;
}

function readOptions(): DemoOptions | undefined {
  const flag = { type: 'boolean', default: false } as const;
  try {
    const { values } = parseArgs({ options: { yes: flag, no: flag, exit: flag, help: flag } });
    if (values.yes && values.no) throw new TypeError('--yes and --no contradict each other');
    if (!values.help) return { answer: values.yes ? true : values.no ? false : undefined, exit: values.exit };
    say(HELP);
  } catch (error) {
    console.error(`${messageOf(error)}\n\n${HELP}`);
    process.exitCode = EXIT.usage;
  }
  return undefined;
}

class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** The first signal ends the demo in order; a second one ends it at once, and the service follows it. */
function interruption(): AbortController {
  const interrupted = new AbortController();
  for (const signal of Object.keys(SIGNAL_EXIT) as (keyof typeof SIGNAL_EXIT)[]) {
    process.once(signal, () => {
      process.exitCode = SIGNAL_EXIT[signal];
      interrupted.abort(new Interrupted());
    });
  }
  return interrupted;
}

async function demo(options: DemoOptions): Promise<void> {
  const interrupted = interruption();
  const { signal } = interrupted;
  const dataDir = resolve(process.env['DATA_DIR'] ?? '.data/demo');
  let service: ServiceProcess | undefined;
  try {
    say('pipeline-service demo: 3,000,000 flights of 2001, checked, joined and loaded into Apache Iceberg');
    service = await startService({ dataDir, port: await preferredPort(process.env['PORT']), report: say, signal });
    service.failed.catch((error: unknown) => {
      interrupted.abort(error);
    });
    say(`The service is ready: ${service.url}`);
    const exitCode = await runExample(service, dataDir, options, signal);
    if (options.exit) process.exitCode = exitCode;
    else {
      say('\nThe service stays up for you to look around; Ctrl-C ends it.');
      await aborted(signal);
      process.exitCode = 0;
    }
    if (!(signal.reason instanceof Interrupted)) signal.throwIfAborted();
  } catch (error) {
    if (error instanceof Interrupted)
      say('\nInterrupted; ending the service. A run that was not over goes on with the next demo.');
    else {
      console.error(renderError(error));
      process.exitCode = EXIT.failed;
    }
  } finally {
    await service?.stop();
  }
}

/** @returns the exit code that tells how the run ended, or that it waits */
async function runExample(
  service: ServiceProcess,
  dataDir: string,
  options: DemoOptions,
  signal: AbortSignal,
): Promise<number> {
  const api = new ApiClient({ url: service.url, token: loadClientConfig().token });
  const { file, document, table } = await readExample();
  const { name, version, revision } = await applyDocument({ api }, document);
  say(`Registered ${file} as ${name} ${version}, revision ${revision}.`);
  const run = await api.execute(name, {}, randomUUID());
  say(`Started execution ${run.executionId}.\n`);

  const view = new ProgressView(process.stdout);
  const onChange = (status: WorkflowStatus): void => {
    view.show(status);
  };
  let status = await followRun(api, run.workflowId, { untilGate: true, onChange, signal });
  if (status.status === 'RUNNING') {
    say('\nThe quality gate is open: the data is not as good as the pipeline wants.\n');
    say(renderQuality(await api.quality(run.executionId)));
    const asked = await answerGate(api, service, run, options, signal);
    if (asked === 'nobody' && options.exit) return exitCodeOf(status);
    view.settle();
    status = await followRun(api, run.workflowId, { untilGate: false, onChange, signal });
  }

  const reason = status.result?.reason;
  say(`\n${colored(status.status)}${reason === undefined ? '' : `: ${reason}`}\n`);
  const completed = status.status === 'COMPLETED';
  if (completed) say(`${await describeTable(dataDir, table)}\n`);
  say(lookFurther(service, run, { dataDir, table: completed ? table : undefined, ends: options.exit }));
  return exitCodeOf(status);
}

async function answerGate(
  api: ApiClient,
  { url }: ServiceProcess,
  { workflowId, executionId }: StartedRun,
  { answer, exit }: DemoOptions,
  signal: AbortSignal,
): Promise<'answered' | 'nobody'> {
  const someone = process.stdin.isTTY && process.stdout.isTTY;
  if (answer === undefined && !someone) {
    const cli = pipelinesCommand(url);
    say(`\nNobody to ask here.${exit ? '' : ` From another terminal: ${cli} approve ${executionId}   (or reject)`}\n`);
    return 'nobody';
  }
  const approved = answer ?? (await askAtGate(signal));
  // Ctrl-C at the question: nobody has answered.
  if (approved === undefined) {
    process.kill(process.pid, 'SIGINT');
    await aborted(signal);
    return 'nobody';
  }
  try {
    await api.signal(workflowId, 'approval', { approved, comment: 'answered in the demo' }, randomUUID());
    say(approved ? '\nApproved; going on.\n' : '\nRejected.\n');
  } catch (error) {
    // Somebody else was quicker, or the deadline has passed.
    if (!(error instanceof ApiError) || error.status !== 409) throw error;
    say(`\n${error.message}.\n`);
  }
  return 'answered';
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else
      signal.addEventListener('abort', () => {
        resolve();
      });
  });
}

function say(text: string): void {
  console.log(text);
}

const options = readOptions();
if (options !== undefined) await demo(options);
