import { describe, expect, it } from 'vitest';
import type { DataFile } from '../../../../src/engines/iceberg/data-file.ts';
import { planCompaction } from '../../../../src/engines/iceberg/maintenance/compaction-plan.ts';

/** Of a target of 100. */
function planned(minInputFiles: number, ...sizes: (number | [size: number, partition: number])[]): number[][] {
  const files = sizes.map((told, at): DataFile => {
    const [size, partition] = typeof told === 'number' ? [told, 0] : told;
    return { path: String(at), sizeBytes: BigInt(size), partition: [partition] } as unknown as DataFile;
  });
  return planCompaction(files, { targetFileSizeBytes: 100, minInputFiles }).map((group) =>
    group.map((file) => Number(file.path)),
  );
}

describe('what is compacted', () => {
  it('when files are many and small, is all of them, up to the target', () => {
    expect(planned(3, 10, 20, 30)).toEqual([[0, 1, 2]]);
    expect(planned(2, 50, 40, 60, 30)).toEqual([
      [0, 1],
      [2, 3],
    ]);
  });

  it('when files are few and do not fill one, is nothing; when they do, is they', () => {
    expect(planned(3, 10, 20)).toEqual([]);
    expect(planned(3, 40, 50)).toEqual([[0, 1]]);
  });

  it('when files are large, or alone in their partition, leaves them', () => {
    expect(planned(2, 75, 100, 500, 10)).toEqual([]);
    expect(planned(2, [10, 1], [10, 2], [10, 1])).toEqual([[0, 2]]);
  });

  it('when it was compacted before, is nothing more', () => {
    expect(planned(5, 74)).toEqual([]);
    expect(planned(2)).toEqual([]);
  });
});
