import { describe, expect, it } from 'vitest';
import type { BoundPartitionField } from '../../../src/engines/iceberg/partition-spec.ts';
import { summarizePartitions } from '../../../src/engines/iceberg/partition-summary.ts';

function field(type: string): BoundPartitionField {
  return {
    fieldId: 1000,
    sourceId: 1,
    name: 'x',
    transform: { kind: 'identity' },
    source: { name: 'x', type },
    resultType: type,
  };
}

describe('the summary of partitions', () => {
  it('when values are long texts, has them whole', () => {
    const text = 'x'.repeat(40);
    expect(summarizePartitions([['a'], [text], [null]], [field('string')])).toEqual([
      { containsNull: true, containsNan: false, lowerBound: Buffer.from('a'), upperBound: Buffer.from(text) },
    ]);
  });

  it('when all values are null, has no bounds', () => {
    expect(summarizePartitions([[null]], [field('int')])).toEqual([
      { containsNull: true, containsNan: false, lowerBound: null, upperBound: null },
    ]);
  });
});
