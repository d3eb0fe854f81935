/** Looking at one run: `status`, `steps`, `logs`, `quality`. */
import type { Command } from 'commander';
import type { LogLine } from '../../schemas/api-run-answers.ts';
import type { CommandContext } from '../command-context.ts';
import { renderLogs, renderStatus, renderSteps } from '../render.ts';
import { renderQuality } from '../render-quality.ts';
import { RUN_ID_HELP } from './signal-commands.ts';

export function addInspectCommands(program: Command, context: CommandContext): void {
  const { api } = context;

  program
    .command('status')
    .argument('<id>', RUN_ID_HELP)
    .description('how far a run is')
    .option('-w, --watch', "follow it until it ends; the exit code is then the run's")
    .action(async (id: string, { watch }: { watch?: true }) => {
      const workflowId = await context.workflowOf(id);
      if (watch === true) {
        await context.follow(workflowId, false);
        return;
      }
      const status = await api.status(workflowId);
      context.show(status, () => renderStatus(status));
    });

  program
    .command('steps')
    .argument('<id>', RUN_ID_HELP)
    .description('the steps of a run: attempts, rows, times')
    .action(async (id: string) => {
      const steps = await api.steps(await context.executionOf(id));
      context.show(steps, () => renderSteps(steps));
    });

  program
    .command('logs')
    .argument('<id>', RUN_ID_HELP)
    .argument('[step]', 'such as extract:flights; all steps when left out')
    .description('what the steps of a run logged')
    .action(async (id: string, step: string | undefined) => {
      const executionId = await context.executionOf(id);
      const steps = step === undefined ? (await api.steps(executionId)).map((known) => known.step) : [step];
      const lines: (LogLine & { step: string })[] = [];
      for (const name of steps) {
        lines.push(...(await api.logs(executionId, name)).map((line) => ({ step: name, ...line })));
      }
      context.show(lines, () => (lines.length === 0 ? 'Nothing was logged.' : renderLogs(lines)));
    });

  program
    .command('quality')
    .argument('<id>', RUN_ID_HELP)
    .description('the quality report of a run, with rows that failed')
    .action(async (id: string) => {
      const report = await api.quality(await context.executionOf(id));
      context.show(report, () => renderQuality(report));
    });
}
