/** Schema migrations: `migrate`, `migrations`. */
import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { upTo } from '../every-page.ts';
import { EXIT } from '../exit-codes.ts';
import { renderMigration, renderMigrations, renderPreview } from '../render-migration.ts';
import { readDocument } from './pipeline-commands.ts';

interface MigrateOptions {
  file: string;
  dryRun?: true;
  wait?: true;
}

interface MigrationsOptions {
  retry?: string;
  wait?: true;
}

const WAIT_HELP = 'until it ends or waits for approval; the exit code tells which';

export function addMigrationCommands(program: Command, context: CommandContext): void {
  const { api } = context;

  program
    .command('migrate')
    .description('change tables in several systems together, or none of them')
    .requiredOption('-f, --file <file>', 'YAML or JSON file')
    .option('--dry-run', 'only say whether it can be done, and what it would concern')
    .option('-w, --wait', WAIT_HELP)
    .action(async ({ file, dryRun, wait }: MigrateOptions) => {
      const document = await readDocument(file);
      if (dryRun === true) {
        const preview = await api.previewMigration(document);
        context.show(preview, () => renderPreview(preview));
        if (!preview.valid) context.setExitCode(EXIT.failed);
        return;
      }
      await begun(await api.migrate(document, randomUUID()), wait);
    });

  program
    .command('migrations')
    .argument('[id]', 'of one of them: its steps and its result')
    .description('migrations, newest first')
    .option('--retry <id>', 'put back what could not be put back, or try all of it again')
    .option('-w, --wait', WAIT_HELP)
    .action(async (id: string | undefined, { retry, wait }: MigrationsOptions) => {
      if (retry !== undefined) {
        await begun(await api.retryMigration(retry, randomUUID()), wait);
      } else if (id !== undefined) {
        if (wait === true) {
          await context.followMigration(id);
          return;
        }
        const migration = await api.migration(id);
        context.show(migration, () => renderMigration(migration));
      } else {
        const all = await upTo(Infinity, (page) => api.migrations(page));
        context.show(all, () => renderMigrations(all));
      }
    });

  async function begun(started: { migrationId: string }, wait: true | undefined): Promise<void> {
    const { migrationId } = started;
    if (wait === true) await context.followMigration(migrationId);
    else context.show(started, () => `started ${migrationId}\nfollow it: pipelines migrations ${migrationId} --wait`);
  }
}
