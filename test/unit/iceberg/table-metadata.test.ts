import { describe, expect, it } from 'vitest';
import { fileFolder, formatTableMetadata, parseTableMetadata } from '../../../src/engines/iceberg/table-metadata.ts';

const TEXT = `{"format-version":2,"table-uuid":"u","location":"file:///w/t/","last-sequence-number":9007199254740993,
"last-updated-ms":1700000000000,"properties":{"snapshot-id":"7","a":"b"},"current-snapshot-id":9223372036854775807,
"snapshots":[{"snapshot-id":9223372036854775807,"sequence-number":1,"timestamp-ms":1,"manifest-list":"m","summary":{"operation":"append"}}],
"something-new":{"number":1.5,"long":12345678901234567890}}`;

describe('table metadata', () => {
  it('when read and written, keeps 64-bit numbers and what it does not know', () => {
    const metadata = parseTableMetadata(TEXT);
    expect(metadata['current-snapshot-id']).toBe(9223372036854775807n);
    expect(metadata['last-sequence-number']).toBe(9007199254740993n);
    expect(metadata.snapshots?.[0]?.['sequence-number']).toBe(1n);
    expect(metadata.properties).toEqual({ 'snapshot-id': '7', a: 'b' });
    const written = formatTableMetadata(metadata);
    expect(written).toContain('"current-snapshot-id":9223372036854775807');
    expect(written).toContain('"something-new":{"number":1.5,"long":12345678901234567890}');
    expect(parseTableMetadata(written)).toEqual(metadata);
  });

  it('when it names no refs, has main at its current snapshot', () => {
    expect(parseTableMetadata(TEXT).refs).toEqual({ main: { 'snapshot-id': 9223372036854775807n, type: 'branch' } });
  });

  it('when the current snapshot is -1, has none', () => {
    const metadata = parseTableMetadata('{"format-version":2,"current-snapshot-id":-1}');
    expect(metadata['current-snapshot-id']).toBeNull();
    expect(metadata.refs?.['main']).toBeUndefined();
  });

  it.each([1, 3])('when the format version is %i, is refused in words', (version) => {
    expect(() => parseTableMetadata(`{"format-version":${version}}`)).toThrow(/format version/);
  });

  it('when a location ends with a slash or a property moves the data, tells the folder', () => {
    const metadata = parseTableMetadata(TEXT);
    expect(fileFolder(metadata, 'metadata')).toBe('file:///w/t/metadata');
    const moved = { ...metadata, properties: { 'write.data.path': 'file:///elsewhere/' } };
    expect(fileFolder(moved, 'data')).toBe('file:///elsewhere');
  });
});
