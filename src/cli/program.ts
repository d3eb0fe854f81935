/** The commands of `pipelines` (spec section 8), each one or a few calls of the API. */
import { Command } from 'commander';
import { CommandContext, type ProgramOptions } from './command-context.ts';
import { addBackfillCommands } from './commands/backfill-commands.ts';
import { addInspectCommands } from './commands/inspect-commands.ts';
import { addMigrationCommands } from './commands/migration-commands.ts';
import { addMaintenanceCommands } from './commands/maintenance-commands.ts';
import { addPipelineCommands } from './commands/pipeline-commands.ts';
import { addRunCommands } from './commands/run-commands.ts';
import { addSignalCommands } from './commands/signal-commands.ts';

const AFTER_HELP = `
PIPELINES_URL names the service (http://127.0.0.1:8092 when unset), PIPELINES_TOKEN is the caller's token.

Exit codes: 0 done, or the run completed · 1 failed, or rolled back · 2 used wrongly, or no such thing · 3 the run was cancelled
            4 the run, or the migration, waits at its gate

Examples:
  pipelines apply -f examples/flights.yaml
  pipelines run flights --param since=2001-03-01 --wait
  pipelines approve 7b0c… --comment 'known outage'`;

export function createProgram(options: ProgramOptions): Command {
  const program = new Command('pipelines')
    .description('Registers, runs and watches data pipelines.')
    .option('--json', 'answers as JSON, for programs')
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(add --help for what it takes)')
    .addHelpText('after', AFTER_HELP)
    .exitOverride();
  const context = new CommandContext(program, options);
  addPipelineCommands(program, context);
  addRunCommands(program, context);
  addInspectCommands(program, context);
  addSignalCommands(program, context);
  addBackfillCommands(program, context);
  addMigrationCommands(program, context);
  addMaintenanceCommands(program, context);
  return program;
}
