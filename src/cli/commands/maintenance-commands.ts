/** `compact`: the upkeep of an Iceberg table. */
import { randomUUID } from 'node:crypto';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { followMaintenance } from '../follow-maintenance.ts';
import { maintenanceExitCode, renderMaintenance } from '../render-maintenance.ts';

interface CompactOptions {
  engine?: string;
  targetFileSize?: number;
  minInputFiles?: number;
  rewrite: boolean;
  expire: boolean;
  expireOlderThan?: string;
  retainLast?: number;
  orphans: boolean;
  orphansOlderThan?: string;
  wait?: true;
}

export function addMaintenanceCommands(program: Command, context: CommandContext): void {
  const { api } = context;
  program
    .command('compact')
    .argument('<table>', 'namespace.table')
    .description('make small files large ones, expire snapshots, remove files that no commit refers to')
    .addOption(new Option('--engine <engine>', 'which rewrites data files (duckdb)').choices(['duckdb', 'spark']))
    .option('--target-file-size <bytes>', '536870912 when left out', parseCount)
    .option('--min-input-files <count>', 'small files that are worth one commit (5)', parseCount)
    .option('--no-rewrite', 'leave data files as they are')
    .option('--expire-older-than <age>', "such as 5d; the table's own rule when left out")
    .option('--retain-last <count>', 'snapshots of each branch that are kept whatever their age', parseCount)
    .option('--no-expire', 'keep all snapshots')
    .option('--orphans-older-than <age>', '3d at least, and when left out')
    .option('--no-orphans', 'keep files that no commit refers to')
    .option('-w, --wait', 'until it ends; the exit code tells how')
    .action(async (table: string, options: CompactOptions) => {
      const started = await api.compact(bodyOf(table, options), randomUUID());
      const { maintenanceId } = started;
      if (options.wait !== true) {
        context.show(started, () => `started ${maintenanceId}`);
        return;
      }
      const ended = await followMaintenance(api, maintenanceId);
      context.show(ended, () => renderMaintenance(ended));
      context.setExitCode(maintenanceExitCode(ended));
    });
}

function bodyOf(table: string, options: CompactOptions): object {
  const { engine, targetFileSize, minInputFiles, rewrite, expire, expireOlderThan, retainLast } = options;
  return {
    table,
    engine,
    targetFileSizeBytes: targetFileSize,
    minInputFiles,
    rewriteDataFiles: rewrite,
    expireSnapshots: expire ? { olderThan: expireOlderThan, retainLast } : false,
    removeOrphanFiles: options.orphans ? { olderThan: options.orphansOlderThan } : false,
  };
}

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,11}$/.test(text)) throw new InvalidArgumentError('expected a whole number above 0');
  return Number(text);
}
