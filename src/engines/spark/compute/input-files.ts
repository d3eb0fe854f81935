import type { Dataset } from '../../dataset.ts';
import { datasetFiles } from '../../duckdb/dataset-files.ts';

/** The files of each input, absolute: what Spark reads is what DuckDB would. */
export async function inputFiles(inputs: Readonly<Record<string, Dataset>>): Promise<Record<string, string[]>> {
  const entries = Object.entries(inputs).map(async ([name, dataset]) => [name, await datasetFiles(dataset)] as const);
  return Object.fromEntries(await Promise.all(entries));
}
