/**
 * Which manifests become one, as the reference implementation decides it (`ManifestMergeManager`, `ListPacker.packEnd`)
 * by the same properties of the table, so that a table of ten thousand small commits has a few hundred manifests at most.
 */
import type { TableMetadata } from './table-metadata.ts';

const DEFAULTS = { enabled: true, leastCount: 100, targetBytes: 8 * 1024 * 1024 };

export interface Mergeable {
  specId: number;
  /** 0: data files, 1: delete files; only manifests of the first kind are merged here. */
  content: number;
  sizeBytes: number;
}

/**
 * @param manifests newest first
 * @returns the same in groups, in order: each group becomes one manifest; a group of one stays as it is
 */
export function groupManifests<T extends Mergeable>(manifests: readonly T[], metadata: TableMetadata): T[][] {
  const { enabled, leastCount, targetBytes } = settings(metadata.properties ?? {});
  const [first] = manifests;
  if (!enabled || first === undefined) return manifests.map((manifest) => [manifest]);
  const specIds = [...new Set(manifests.map(({ specId }) => specId))];
  return specIds.flatMap((specId) => {
    const ofSpec = manifests.filter((manifest) => manifest.specId === specId);
    const data = ofSpec.filter(({ content }) => content === 0);
    const merged = packed(data, targetBytes).flatMap((bin) =>
      // The newest one waits for company, so that not every commit rewrites what is there.
      bin.includes(first) && bin.length < leastCount ? bin.map((manifest) => [manifest]) : [bin],
    );
    return [...merged, ...ofSpec.filter(({ content }) => content !== 0).map((manifest) => [manifest])];
  });
}

/** Filled from the oldest on, so that full ones are left alone. */
function packed<T extends Mergeable>(manifests: readonly T[], targetBytes: number): T[][] {
  const bins: T[][] = [];
  let bin: T[] = [];
  let binBytes = 0;
  for (const manifest of manifests.toReversed()) {
    if (bin.length > 0 && binBytes + manifest.sizeBytes > targetBytes) {
      bins.unshift(bin);
      bin = [];
      binBytes = 0;
    }
    bin.unshift(manifest);
    binBytes += manifest.sizeBytes;
  }
  return bin.length === 0 ? bins : [bin, ...bins];
}

function settings(properties: Readonly<Record<string, string>>): typeof DEFAULTS {
  const count = (name: string, otherwise: number): number => {
    const asked = Number(properties[name] ?? otherwise);
    return Number.isSafeInteger(asked) && asked > 0 ? asked : otherwise;
  };
  return {
    enabled: (properties['commit.manifest-merge.enabled'] ?? String(DEFAULTS.enabled)).toLowerCase() === 'true',
    leastCount: count('commit.manifest.min-count-to-merge', DEFAULTS.leastCount),
    targetBytes: count('commit.manifest.target-size-bytes', DEFAULTS.targetBytes),
  };
}
