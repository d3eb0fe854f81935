import type { Dataset } from '../dataset.ts';

/** Brings datasets that lie elsewhere to this machine, since DuckDB reads local files only. */
export interface DatasetCopies {
  /** The dataset as it can be read here, until it is released. One that lies here already is given back as it is. */
  hold(dataset: Dataset, signal: AbortSignal): Promise<HeldDataset>;
  /** The same for who looks at columns and statistics only: files of the same names, of which only the footers are here. */
  holdFooters(dataset: Dataset, signal: AbortSignal): Promise<HeldDataset>;
}

export interface HeldDataset {
  dataset: Dataset;
  release: () => Promise<void>;
}

/** All or none: of what could be held, nothing stays held when one of them fails. */
export async function holdAll(
  inputs: Readonly<Record<string, Dataset>>,
  copies: DatasetCopies | undefined,
  signal: AbortSignal,
  { footersOnly = false } = {},
): Promise<{ inputs: Record<string, Dataset>; release: () => Promise<void> }> {
  if (copies === undefined) return { inputs, release: () => Promise.resolve() };
  const held: [string, HeldDataset][] = [];
  const release = async (): Promise<void> => {
    for (const [, { release: releaseOne }] of held) await releaseOne();
  };
  try {
    for (const [name, dataset] of Object.entries(inputs)) {
      held.push([name, await (footersOnly ? copies.holdFooters(dataset, signal) : copies.hold(dataset, signal))]);
    }
  } catch (error) {
    await release();
    throw error;
  }
  return { inputs: Object.fromEntries(held.map(([name, { dataset }]) => [name, dataset])), release };
}
