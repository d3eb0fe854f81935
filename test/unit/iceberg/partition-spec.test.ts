import { describe, expect, it } from 'vitest';
import { bindSpec, checkSpecAgrees, newSpec } from '../../../src/engines/iceberg/partition-spec.ts';
import type { StructType } from '../../../src/engines/iceberg/schema.ts';

const SCHEMA: StructType = {
  type: 'struct',
  fields: [
    { id: 1, name: 'id', required: false, type: 'long' },
    { id: 2, name: 'd', required: false, type: 'timestamp' },
    { id: 3, name: 'name', required: false, type: 'string' },
    { id: 4, name: 'd_day', required: false, type: 'string' },
    { id: 5, name: 'x', required: false, type: 'double' },
    { id: 7, name: 'tenant', required: false, type: 'uuid' },
    { id: 6, name: 'tags', required: false, type: { type: 'struct', fields: [] } },
  ],
};

describe('a partition spec', () => {
  it('when a pipeline names transforms, has fields numbered and named as other writers do', () => {
    expect(newSpec(['bucket(16, id)', 'month(d)', 'truncate( 4,name )', 'id'], SCHEMA).fields).toEqual([
      { 'source-id': 1, 'field-id': 1000, name: 'id_bucket', transform: 'bucket[16]' },
      { 'source-id': 2, 'field-id': 1001, name: 'd_month', transform: 'month' },
      { 'source-id': 3, 'field-id': 1002, name: 'name_trunc', transform: 'truncate[4]' },
      { 'source-id': 1, 'field-id': 1003, name: 'id', transform: 'identity' },
    ]);
  });

  it('when a column has the name of a field already, gives the field another', () => {
    expect(newSpec(['day(d)'], SCHEMA).fields[0]?.name).toBe('d_day_2');
  });

  it.each([
    [['nope'], 'SchemaConflictError', /partition_by names nope/],
    [['hour(id)'], 'ValidationError', /hour of id is not possible, it is long/],
    [['x'], 'ValidationError', /identity of x is not possible, it is double/],
    [['tenant'], 'ValidationError', /identity of tenant is not possible, it is uuid/],
    [['tags'], 'ValidationError', /tags is no plain column/],
    [['day(d)', 'month(d)'], 'ValidationError', /month\(d\) repeats d_day_2/],
    [['id', 'id'], 'ValidationError', /repeats id/],
  ])('when a pipeline asks for %s, is refused', (partitionBy, type, message) => {
    expect(() => newSpec(partitionBy, SCHEMA)).toThrow(
      expect.objectContaining({ type, message: expect.stringMatching(message) as string }),
    );
  });

  it('when a table has another one, conflicts, and agrees with a pipeline that says nothing', () => {
    const spec = newSpec(['day(d)', 'bucket(4, id)'], SCHEMA);
    expect(() => {
      checkSpecAgrees(['day(d)', 'bucket( 4 ,id)'], spec, SCHEMA);
    }).not.toThrow();
    expect(() => {
      checkSpecAgrees([], spec, SCHEMA);
    }).not.toThrow();
    expect(() => {
      checkSpecAgrees(['day(d)'], spec, SCHEMA);
    }).toThrow('the table is partitioned by [day(d), bucket(4, id)], the pipeline asks for [day(d)]');
  });

  it('when a table has a transform that nobody here knows, is refused', () => {
    const spec = { 'spec-id': 0, fields: [{ 'source-id': 1, 'field-id': 1000, name: 'z', transform: 'zorder' }] };
    expect(() => bindSpec(spec, SCHEMA)).toThrow(/transform zorder is not supported/);
  });
});
