/** `backfill`: a range of a pipeline's time, partition by partition. */
import { randomUUID } from 'node:crypto';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { BackfillAnswer, BackfillPreview, StartedBackfill } from '../../schemas/api-backfills.ts';
import type { CommandContext } from '../command-context.ts';
import { readParameters } from '../parameter-options.ts';
import { renderBackfill, renderPreview } from '../render-backfill.ts';
import { UsageError } from '../usage-error.ts';

interface BackfillOptions {
  start?: string;
  end?: string;
  from?: string;
  to?: string;
  param: string[];
  size?: string;
  concurrency?: number;
  order?: string;
  reprocess?: string;
  onFailure?: string;
  dryRun?: true;
  wait?: true;
}

const VERBS = {
  status: 'how far it is',
  pause: 'begin no further partition',
  resume: 'let it go on',
  cancel: 'end it',
  retry: 'process again what failed',
} as const;

export function addBackfillCommands(program: Command, context: CommandContext): void {
  const { api } = context;
  const backfill = program.command('backfill').description('process a range of time, partition by partition');

  backfill
    .command('start', { isDefault: true })
    .argument('<name>', 'name or id of the pipeline')
    .description('start one: "backfill NAME" is the same')
    .addOption(new Option('--start <start>', 'a date, or ISO 8601 with offset'))
    .addOption(new Option('--end <end>', 'where the range ends: it is not part of it'))
    // As they were called first.
    .addOption(new Option('--from <start>').hideHelp())
    .addOption(new Option('--to <end>').hideHelp())
    .option(
      '-p, --param <name=value>',
      'a parameter; may be given again',
      (given: string, before: string[]) => [...before, given],
      [],
    )
    .addOption(new Option('--size <size>', "the pipeline's when left out").choices(['hour', 'day', 'week', 'month']))
    .option('--concurrency <count>', 'partitions at work at a time (4)', parseCount)
    .addOption(new Option('--order <order>', 'which come first').choices(['ascending', 'descending']))
    .addOption(
      new Option('--reprocess <which>', 'also what failed, or was completed, before').choices([
        'none',
        'failed',
        'completed',
      ]),
    )
    .addOption(new Option('--on-failure <what>', 'after a partition failed').choices(['continue', 'stop']))
    .option('--dry-run', 'only say what would be processed, what skipped and why')
    .option('-w, --wait', 'until it ends, with its progress; the exit code tells how')
    .action(async (name: string, { from, to, start = from, end = to, wait, param, ...options }: BackfillOptions) => {
      if (start === undefined || end === undefined) throw new UsageError('--start and --end: expected the range');
      const parameters = param.length === 0 ? {} : readParameters(param, (await api.pipeline(name)).parameters);
      const answer = await api.backfill(name, { start, end, parameters, ...options }, randomUUID());
      if (options.dryRun === true) {
        context.show(answer, () => renderPreview(answer as BackfillPreview));
        return;
      }
      const { backfillId, partitions } = answer as StartedBackfill;
      if (wait === true) await context.followBackfill(backfillId);
      else {
        const follow = `follow it: pipelines backfill status ${backfillId} --watch`;
        context.show(answer, () => `started ${backfillId}: ${partitions} partitions\n${follow}`);
      }
    });

  for (const [verb, description] of Object.entries(VERBS)) {
    const command = backfill.command(verb).argument('<id>', 'id of the backfill').description(description);
    if (verb === 'status') {
      command.option('-w, --watch', 'until it ends').action(async (id: string, { watch }: { watch?: true }) => {
        if (watch === true) await context.followBackfill(id);
        else {
          const found: BackfillAnswer = await api.backfillStatus(id);
          context.show(found, () => renderBackfill(found));
        }
      });
    } else {
      command.action(async (id: string) => {
        const answer = await api.tellBackfill(id, verb, randomUUID());
        context.show(answer, () => `${verb}: accepted`);
      });
    }
  }
}

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,2}$/.test(text)) throw new InvalidArgumentError('expected a whole number from 1 to 100');
  return Number(text);
}
