/** Runs: `run`, `runs`, `retry`. */
import { randomUUID } from 'node:crypto';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { StartedRun } from '../../schemas/api-run-answers.ts';
import type { CommandContext } from '../command-context.ts';
import { upTo } from '../every-page.ts';
import { readParameters } from '../parameter-options.ts';
import { renderExecutions } from '../render.ts';

const PAGE_SIZE = 100;
const WAIT_HELP = 'until it ends or waits at the gate; the exit code tells which';

interface RunOptions {
  param: string[];
  interval?: { start: string; end: string };
  priority?: string;
  wait?: true;
}

interface RunsOptions {
  limit: number;
  status?: string;
  pipeline?: string;
  tag?: string;
}

export function addRunCommands(program: Command, context: CommandContext): void {
  const { api } = context;

  program
    .command('run')
    .argument('<name>', 'name or id of the pipeline')
    .description('start a run')
    .option(
      '-p, --param <name=value>',
      'a parameter; may be given again',
      (one: string, all: string[]) => [...all, one],
      [],
    )
    .option('-i, --interval <start/end>', 'the interval it is for, ISO 8601 with offset', parseInterval)
    .addOption(new Option('--priority <priority>', 'how soon it gets a worker').choices(['LOW', 'NORMAL', 'HIGH']))
    .option('-w, --wait', WAIT_HELP)
    .action(async (name: string, { param, interval, priority, wait }: RunOptions) => {
      const parameters = param.length === 0 ? {} : readParameters(param, (await api.pipeline(name)).parameters);
      const body = { parameters, ...(interval && { interval }), ...(priority !== undefined && { priority }) };
      await started(await api.execute(name, body, randomUUID()), wait);
    });

  program
    .command('runs')
    .description('runs, newest first')
    .option('--status <status>', 'only these, such as RUNNING or FAILED')
    .option('--pipeline <name>', 'only of this pipeline')
    .option('--tag <tag>', 'only with this tag')
    .option('-n, --limit <count>', 'how many', parseCount, 20)
    .action(async ({ limit, ...filters }: RunsOptions) => {
      const size = String(Math.min(PAGE_SIZE, limit));
      const runs = await upTo(limit, (page) => api.executions({ ...filters, size, page: String(page) }));
      context.show(runs, () => renderExecutions(runs));
    });

  program
    .command('retry')
    .argument('<id>', 'id of a closed execution, or of its workflow')
    .description('a new run that takes over what an earlier one has done')
    .option('--from <step>', 'do this step and all after it again, such as quality or transform:daily')
    .option('-w, --wait', WAIT_HELP)
    .action(async (id: string, { from, wait }: { from?: string; wait?: true }) => {
      const body = from === undefined ? {} : { fromStep: from };
      await started(await api.retry(await context.executionOf(id), body, randomUUID()), wait);
    });

  async function started(run: StartedRun, wait: true | undefined): Promise<void> {
    if (wait === true) await context.follow(run.workflowId, true);
    else {
      const { executionId } = run;
      context.show(run, () => `started ${executionId}\nfollow it: pipelines status ${executionId} --watch`);
    }
  }
}

function parseInterval(text: string): { start: string; end: string } {
  const [start, end, ...more] = text.split('/');
  if (!start || !end || more.length > 0) throw new InvalidArgumentError('expected start/end');
  return { start, end };
}

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('expected a whole number from 1');
  return Number(text);
}
