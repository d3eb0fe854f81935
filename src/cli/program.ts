/** The commands of `pipelines` (spec section 8), each one or two calls of the API. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import type { LogLine } from '../schemas/api-run-answers.ts';
import { type ApiClient, ApiError } from './api-client.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { colored, renderExecutions, renderPipelines, renderQuality, renderStatus, table } from './render.ts';
import { followRun } from './watch.ts';

export interface Terminal {
  /** A line of the answer. */
  print: (text: string) => void;
  /** Draws over what was drawn before, on a terminal; prints otherwise. */
  redraw: (text: string) => void;
}

export interface ProgramOptions {
  api: ApiClient;
  terminal: Terminal;
  setExitCode: (code: number) => void;
}

const ID_HELP = 'id of an execution or of its workflow';

export function createProgram({ api, terminal, setExitCode }: ProgramOptions): Command {
  const program = new Command('pipelines')
    .description('Registers, runs and watches data pipelines. PIPELINES_URL and PIPELINES_TOKEN name the service.')
    .option('--json', 'answers of the API as they are')
    .showHelpAfterError('(add --help for what it takes)');
  const show = (answer: unknown, render: () => string): void => {
    terminal.print(program.opts<{ json?: boolean }>().json === true ? JSON.stringify(answer, null, 2) : render());
  };

  program
    .command('validate')
    .description('check a definition; nothing is stored')
    .requiredOption('-f, --file <file>', 'YAML or JSON file')
    .action(async ({ file }: { file: string }) => {
      const answer = await api.validate(await readDocument(file));
      show(answer, () =>
        answer.valid ? `${file} is valid` : answer.errors.map(({ path, message }) => `${path}: ${message}`).join('\n'),
      );
      if (!answer.valid) setExitCode(EXIT.failed);
    });

  program
    .command('apply')
    .description('register a pipeline, or a new revision of it')
    .requiredOption('-f, --file <file>', 'YAML or JSON file')
    .action(async ({ file }: { file: string }) => {
      const document = await readDocument(file);
      const answer = await api.create(document).catch(async (error: unknown) => {
        const name = /^"?name"?\s*:\s*"?([a-z0-9-]+)|"name"\s*:\s*"([a-z0-9-]+)"/m.exec(document.text);
        const known = name?.[1] ?? name?.[2];
        if (!(error instanceof ApiError) || error.status !== 409 || known === undefined) throw error;
        return api.update(known, document);
      });
      show(answer, () => `${answer.name} ${answer.version}: revision ${answer.revision} (${answer.pipelineId})`);
    });

  program
    .command('list')
    .description('registered pipelines')
    .action(async () => {
      const all = await everyPage((page) => api.pipelines(page));
      show(all, () => renderPipelines(all));
    });

  program
    .command('run <name>')
    .description('start a run')
    .option('-p, --param <name=value>', 'a parameter; may be given again', collectParameter, {})
    .option('--interval <start/end>', 'the interval it is for, ISO 8601 with offset', parseInterval)
    .option('--priority <priority>', 'LOW, NORMAL or HIGH')
    .option('-w, --wait', 'until it ends or waits at the gate; the exit code tells which')
    .action(async (name: string, options: RunOptions) => {
      const { param: parameters, interval, priority } = options;
      const body = { parameters, ...(interval && { interval }), ...(priority !== undefined && { priority }) };
      const started = await api.execute(name, body, randomUUID());
      if (options.wait !== true) {
        show(
          started,
          () => `started ${started.executionId}\nfollow it: pipelines status ${started.executionId} --watch`,
        );
        return;
      }
      const status = await follow(started.workflowId, true);
      setExitCode(exitCodeOf(status));
    });

  program
    .command('runs')
    .description('executions, newest first')
    .option('--status <status>', 'such as RUNNING or FAILED')
    .option('--pipeline <name>', 'only of this pipeline')
    .option('--tag <tag>', 'only with this tag')
    .option('-n, --limit <n>', 'how many', '20')
    .action(async ({ limit, ...filters }: Record<string, string>) => {
      const { data } = await api.executions({ ...filters, size: limit ?? '20' });
      show(data, () => renderExecutions(data));
    });

  program
    .command('status <id>')
    .description(`how far a run is (${ID_HELP})`)
    .option('-w, --watch', 'follow it until it ends')
    .action(async (id: string, { watch }: { watch?: boolean }) => {
      const workflowId = await workflowOf(id);
      if (watch === true) {
        setExitCode(exitCodeOf(await follow(workflowId, false)));
        return;
      }
      const status = await api.status(workflowId);
      show(status, () => renderStatus(status));
    });

  program
    .command('logs <id> [step]')
    .description('what the steps of an execution logged')
    .action(async (id: string, step: string | undefined) => {
      const executionId = await executionOf(id);
      const steps = step === undefined ? (await api.steps(executionId)).map((known) => known.step) : [step];
      const lines: (LogLine & { step: string })[] = [];
      for (const name of steps) {
        for (const line of await api.logs(executionId, name)) lines.push({ step: name, ...line });
      }
      show(lines, () =>
        lines.map((line) => `${line.at}  ${line.step}  #${line.attempt} ${line.level}  ${line.message}`).join('\n'),
      );
    });

  program
    .command('steps <id>')
    .description('the steps of an execution')
    .action(async (id: string) => {
      const steps = await api.steps(await executionOf(id));
      const rows = steps.map((step) => [
        step.step,
        colored(step.status),
        String(step.attempts),
        String(step.rows ?? ''),
      ]);
      show(steps, () => table(['STEP', 'STATUS', 'ATTEMPTS', 'ROWS'], rows));
    });

  program
    .command('quality <id>')
    .description('the quality report of an execution')
    .action(async (id: string) => {
      const report = await api.quality(await executionOf(id));
      show(report, () => renderQuality(report));
    });

  const signal = (
    name: string,
    description: string,
    told: string,
    data: (words: string[]) => [string, object],
  ): void => {
    program
      .command(`${name} <id> [words...]`)
      .description(description)
      .action(async (id: string, words: string[]) => {
        const answer = await api.signal(await workflowOf(id), ...data(words));
        show(answer, () => told);
      });
  };
  const comment = (words: string[]) => (words.length === 0 ? {} : { comment: words.join(' ') });
  signal('approve', 'say yes at the gate, with a comment', 'approved', (words) => [
    'approval',
    { approved: true, ...comment(words) },
  ]);
  signal('reject', 'say no at the gate, with a comment', 'rejected', (words) => [
    'approval',
    { approved: false, ...comment(words) },
  ]);
  signal('cancel', 'stop a run, with a reason', 'cancelling', (words) => [
    'cancellation',
    words.length === 0 ? {} : { reason: words.join(' ') },
  ]);
  signal('pause', 'start no further activity', 'paused', () => ['pause', {}]);
  signal('resume', 'go on', 'resumed', () => ['resume', {}]);

  program
    .command('retry <id>')
    .description('a new run that takes over what this one has done')
    .option('--from <step>', 'do this step and all after it again')
    .option('-w, --wait', 'until it ends or waits at the gate')
    .action(async (id: string, { from, wait }: { from?: string; wait?: boolean }) => {
      const body = from === undefined ? {} : { fromStep: from };
      const started = await api.retry(await executionOf(id), body, randomUUID());
      if (wait === true) setExitCode(exitCodeOf(await follow(started.workflowId, true)));
      else show(started, () => `started ${started.executionId}`);
    });

  return program;

  async function follow(workflowId: string, untilGate: boolean) {
    const json = program.opts<{ json?: boolean }>().json === true;
    const onChange = (status: Parameters<typeof renderStatus>[0]): void => {
      if (!json) terminal.redraw(renderStatus(status));
    };
    const status = await followRun(api, workflowId, { untilGate, onChange });
    if (json) show(status, () => '');
    return status;
  }

  async function workflowOf(id: string): Promise<string> {
    return id.startsWith('pipeline-') ? id : (await api.execution(id)).workflowId;
  }

  async function executionOf(id: string): Promise<string> {
    return id.startsWith('pipeline-') ? ((await api.status(id)).executionId ?? id) : id;
  }
}

interface RunOptions {
  param: Record<string, string | number | boolean>;
  interval?: { start: string; end: string };
  priority?: string;
  wait?: boolean;
}

function collectParameter(text: string, before: Record<string, string | number | boolean>) {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('expected name=value');
  return { ...before, [text.slice(0, at)]: scalarOf(text.slice(at + 1)) };
}

/** Numbers and booleans as such; anything else is text. */
function scalarOf(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^-?(0|[1-9]\d{0,14})(\.\d{1,15})?$/.test(text) ? Number(text) : text;
}

function parseInterval(text: string): { start: string; end: string } {
  const [start, end, ...more] = text.split('/');
  if (!start || !end || more.length > 0) throw new InvalidArgumentError('expected start/end');
  return { start, end };
}

async function readDocument(file: string): Promise<{ type: 'application/json' | 'application/yaml'; text: string }> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new ApiError(0, `${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`);
  });
  return { type: file.endsWith('.json') ? 'application/json' : 'application/yaml', text };
}

async function everyPage<T>(
  load: (page: number) => Promise<{ data: T[]; pagination: { total: number } }>,
): Promise<T[]> {
  const all: T[] = [];
  for (let page = 0; ; page += 1) {
    const { data, pagination } = await load(page);
    all.push(...data);
    if (data.length === 0 || all.length >= pagination.total) return all;
  }
}
