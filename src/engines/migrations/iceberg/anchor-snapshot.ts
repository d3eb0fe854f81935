import { randomBytes, randomUUID } from 'node:crypto';
import type { FileIo } from '../../iceberg/file-io.ts';
import { encodeManifestList } from '../../iceberg/manifest-file.ts';
import { fileFolder, type Snapshot, type TableMetadata } from '../../iceberg/table-metadata.ts';

/**
 * A snapshot without rows, for the tag of a table that has none yet: tags need one. It is on no branch, and expires once
 * the tag is gone.
 */
export async function writeAnchor(metadata: TableMetadata, io: FileIo): Promise<Snapshot> {
  const id = (randomBytes(8).readBigUInt64BE() >> 1n) | 1n;
  const sequenceNumber = metadata['last-sequence-number'] + 1n;
  const path = `${fileFolder(metadata, 'metadata')}/snap-${id}-1-${randomUUID()}.avro`;
  await io.write(path, encodeManifestList([], { id, parentId: undefined, sequenceNumber }));
  const counts = ['total-data-files', 'total-delete-files', 'total-records', 'total-files-size'];
  const more = ['total-position-deletes', 'total-equality-deletes'];
  return {
    'snapshot-id': id,
    'sequence-number': sequenceNumber,
    'timestamp-ms': Math.max(Date.now(), metadata['last-updated-ms']),
    'manifest-list': path,
    summary: { operation: 'append', ...Object.fromEntries([...counts, ...more].map((name) => [name, '0'])) },
    'schema-id': metadata['current-schema-id'],
  };
}
