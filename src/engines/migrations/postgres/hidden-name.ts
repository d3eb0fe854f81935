import { createHash } from 'node:crypto';

/** What the restore of a migration needs lies in the table itself, under names that nobody else uses, until the end. */
export type HiddenName = (at: number, what: 'dropped' | 'old' | 'new') => string;

export function hiddenNames(migrationName: string): HiddenName {
  const hash = createHash('sha256').update(migrationName).digest('hex').slice(0, 12);
  return (at, what) => `_pipeline_${hash}_${at}_${what}`;
}

export function isHidden(name: string): boolean {
  return /^_pipeline_[0-9a-f]{12}_\d+_(dropped|old|new)$/.test(name);
}
