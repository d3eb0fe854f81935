/** Why a partition is not processed, by how it ended the last time (spec section 2, `reprocess`); undefined when it is. */
export function skipReason(
  reprocess: 'none' | 'failed' | 'completed',
  outcome: 'COMPLETED' | 'FAILED' | undefined,
): string | undefined {
  if (outcome === undefined || reprocess === 'completed') return undefined;
  if (outcome === 'COMPLETED') return 'it has completed before';
  return reprocess === 'failed' ? undefined : 'it has failed before';
}
