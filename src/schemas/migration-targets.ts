/** How the targets of a migration are called and told apart. */
import type { MigrationDocument, MigrationTarget } from './migration.ts';

/** By position: the table's name, with the position (from 1) where two systems have a table of that name. */
export function targetNames({ targets }: Pick<MigrationDocument, 'targets'>): string[] {
  const names = targets.map(({ table }) => table);
  return names.map((name, position) => {
    const alone = names.filter((other) => other === name).length === 1;
    return alone ? name : `${name}#${position + 1}`;
  });
}

/** PostgreSQL's tables without a schema are taken to be in `public`. */
export function qualifiedTable({ type, table }: Pick<MigrationTarget, 'type' | 'table'>): string {
  return type === 'postgres' && !table.includes('.') ? `public.${table}` : table;
}

/** The last part of the table's name: what it is called in SQL of checks. */
export function plainTable({ table }: Pick<MigrationTarget, 'table'>): string {
  return table.slice(table.lastIndexOf('.') + 1);
}

/** The key under which the gate of a migration's round is answered. */
export function gateOfRound(migrationId: string, round: number): string {
  return `${migrationId}.${round}`;
}
