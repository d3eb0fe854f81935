/** Of several runs: the middle one, since single times on a shared machine mean little. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which the given share of values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/**
 * The median of what `ours` took in a round divided by what `theirs` took in the same round, so that a noisy minute
 * counts for both.
 */
export function medianRatio(ours: readonly number[], theirs: readonly number[]): number {
  return median(ours.map((value, round) => value / (theirs[round] ?? Number.NaN)));
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
