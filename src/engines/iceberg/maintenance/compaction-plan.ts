/** Which data files are too small, and which of them become one: what Spark's `rewrite_data_files` calls bin packing. */
import type { DataFile } from '../data-file.ts';
import { partitionText } from '../snapshot-summary.ts';

export interface CompactionSizes {
  targetFileSizeBytes: number;
  /** As many files are worth being made one whatever their size. */
  minInputFiles: number;
}

/** Files of one partition that become one file (or few, where sizes were misjudged). */
export type FileGroup = readonly DataFile[];

/** Spark's defaults: smaller files are too small, and a file that large is not worth touching. */
const TOO_SMALL = 0.75;
/** Of one commit. The rest is left to the next run. */
const MAX_GROUPS = 10_000;

/** In the order of the files; those of a group lie together in it, so that rows stay as sorted as they came. */
export function planCompaction(files: readonly DataFile[], sizes: CompactionSizes): FileGroup[] {
  const target = BigInt(sizes.targetFileSizeBytes);
  const small = BigInt(Math.floor(sizes.targetFileSizeBytes * TOO_SMALL));
  const byPartition = new Map<string, DataFile[]>();
  for (const file of files) {
    if (file.sizeBytes >= small) continue;
    const partition = partitionText(file);
    const before = byPartition.get(partition);
    if (before === undefined) byPartition.set(partition, [file]);
    else before.push(file);
  }
  const worthIt = (group: FileGroup): boolean =>
    group.length > 1 && (group.length >= sizes.minInputFiles || sizeOf(group) >= small);
  return [...byPartition.values()].flatMap((some) => packed(some, target).filter(worthIt)).slice(0, MAX_GROUPS);
}

function packed(files: readonly DataFile[], target: bigint): DataFile[][] {
  const bins: { files: DataFile[]; bytes: bigint }[] = [];
  for (const file of files) {
    const last = bins.at(-1);
    if (last !== undefined && last.bytes + file.sizeBytes <= target) {
      last.files.push(file);
      last.bytes += file.sizeBytes;
    } else bins.push({ files: [file], bytes: file.sizeBytes });
  }
  return bins.map((bin) => bin.files);
}

function sizeOf(files: readonly DataFile[]): bigint {
  return files.reduce((sum, file) => sum + file.sizeBytes, 0n);
}

export function rowsOf(files: readonly DataFile[]): bigint {
  return files.reduce((sum, file) => sum + file.recordCount, 0n);
}
