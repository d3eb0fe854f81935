/** Telling a run: `approve`, `reject`, `cancel`, `pause`, `resume`. */
import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';

export const RUN_ID_HELP = 'id of an execution, or of its workflow';

interface Words {
  comment?: string;
  reason?: string;
}

export function addSignalCommands(program: Command, context: CommandContext): void {
  const add = (name: string, description: string, told: string, signal: (words: Words) => [string, object]) =>
    program
      .command(name)
      .argument('<id>', RUN_ID_HELP)
      .description(description)
      .action(async (id: string, words: Words) => {
        const workflowId = await context.workflowOf(id);
        const answer = await context.api.signal(workflowId, ...signal(words), randomUUID());
        context.show(answer, () => told);
      });

  const comment = ['-c, --comment <text>', 'why; it stands in the audit log'] as const;
  add('approve', 'say yes at the quality gate', 'approved', (words) => [
    'approval',
    { approved: true, ...words },
  ]).option(...comment);
  add('reject', 'say no at the quality gate', 'rejected', (words) => [
    'approval',
    { approved: false, ...words },
  ]).option(...comment);
  add('cancel', 'stop a run and its remote jobs', 'cancelling', (words) => ['cancellation', words]).option(
    '-r, --reason <text>',
    'it becomes the reason of the run',
  );
  add('pause', 'let a run start no further activity', 'paused', () => ['pause', {}]);
  add('resume', 'let a paused run go on', 'resumed', () => ['resume', {}]);
}
