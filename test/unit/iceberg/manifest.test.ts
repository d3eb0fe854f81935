import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeAvroFile } from '../../../src/engines/iceberg/avro-file.ts';
import type { DataFile, ManifestEntry } from '../../../src/engines/iceberg/data-file.ts';
import { decodeManifest, encodeManifest } from '../../../src/engines/iceberg/manifest.ts';
import {
  decodeManifestList,
  encodeManifestList,
  type ManifestFile,
} from '../../../src/engines/iceberg/manifest-file.ts';
import { bindSpec, newSpec } from '../../../src/engines/iceberg/partition-spec.ts';
import type { Schema } from '../../../src/engines/iceberg/schema.ts';
import { deserializeValue } from '../../../src/engines/iceberg/single-value.ts';

const TYPES = ['boolean', 'int', 'long', 'date', 'time', 'timestamp', 'timestamptz', 'string', 'binary'];

function schemaOf(columns: Record<string, string>): Schema {
  const fields = Object.entries(columns).map(([name, type], at) => ({ id: at + 1, name, required: false, type }));
  return { type: 'struct', 'schema-id': 0, fields };
}

function entry(partition: DataFile['partition']): ManifestEntry {
  const file: DataFile = {
    content: 0,
    path: 'file:///somewhere/a.parquet',
    format: 'PARQUET',
    specId: 0,
    partition,
    recordCount: 3n,
    sizeBytes: 2n ** 40n,
    columnSizes: new Map([[1, 10n]]),
    valueCounts: new Map([[1, 3n]]),
    nullCounts: new Map([[1, 0n]]),
    nanCounts: new Map(),
    lowerBounds: new Map([[1, Buffer.from([1])]]),
    upperBounds: new Map(),
    keyMetadata: null,
    splitOffsets: [4n],
    equalityIds: null,
    sortOrderId: 0,
  };
  return { status: 1, snapshotId: 2n ** 62n + 1n, sequenceNumber: null, fileSequenceNumber: null, file };
}

describe('a manifest', () => {
  it('when its partition fields have every type, reads back as it was written', () => {
    const columns = TYPES.map((type): [string, string] => [`c ${type}`, type]);
    const more = { '8bit ü': 'decimal(9, 2)', e: 'decimal(9, 2)' };
    const schema = schemaOf({ ...Object.fromEntries(columns), ...more });
    const names = schema.fields.map((field) => field.name);
    const spec = newSpec(names, schema);
    const fields = bindSpec(spec, schema);
    const full = [true, 1n, -(2n ** 63n), -1n, 0n, 5n, -5n, 'ü', Buffer.from([0]), -1420n, 1n];
    const entries = [entry(full), entry(full.map(() => null))];
    expect(decodeManifest(encodeManifest(entries, { schema, spec, fields }), { specId: 0, fields })).toEqual(entries);
  });

  it('when a partition field has a name that Avro has not, spells it out as other writers do', () => {
    const schema = schemaOf({ '8 ü-x': 'int' });
    const spec = newSpec(['8 ü-x'], schema);
    const { schema: written } = decodeAvroFile(encodeManifest([], { schema, spec, fields: bindSpec(spec, schema) }));
    expect(JSON.stringify(written)).toContain('"name":"_8_x20_xFC_x2Dx"');
  });

  it('when pyiceberg wrote it, reads whole', () => {
    const schema = schemaOf({ id: 'long', d: 'date', price: 'decimal(9, 2)', name: 'string' });
    const bytes = readFileSync(join(import.meta.dirname, 'fixtures/pyiceberg-manifest.avro'));
    const entries = decodeManifest(bytes, {
      specId: 0,
      fields: bindSpec(newSpec(['day(d)', 'price'], schema), schema),
    });
    const told = entries.map(({ status, snapshotId, file }) => ({
      status,
      snapshotId,
      partition: file.partition,
      rows: file.recordCount,
      lowest: deserializeValue('long', file.lowerBounds?.get(1) ?? Buffer.alloc(0)),
    }));
    const [one] = told;
    expect(one?.snapshotId).toBeTypeOf('bigint');
    expect(told).toEqual(
      expect.arrayContaining([
        { status: 1, snapshotId: one?.snapshotId, partition: [-1n, -150n], rows: 1n, lowest: 1n },
        { status: 1, snapshotId: one?.snapshotId, partition: [18_262n, 1234n], rows: 1n, lowest: 2n },
        { status: 1, snapshotId: one?.snapshotId, partition: [null, null], rows: 1n, lowest: 3n },
      ]),
    );
  });

  it('when Spark wrote it, reads whole', () => {
    const schema = schemaOf({ id: 'long', d: 'timestamp', price: 'decimal(9, 2)', name: 'string' });
    const bytes = readFileSync(join(import.meta.dirname, 'fixtures/spark-manifest.avro'));
    const fields = bindSpec(newSpec(['day(d)', 'bucket(4, id)', 'truncate(2, name)', 'price'], schema), schema);
    const entries = decodeManifest(bytes, { specId: 0, fields });
    expect(entries.map(({ file }) => file.partition)).toEqual(
      expect.arrayContaining([
        [-1n, 0n, 'ab', -150n],
        [18_262n, 3n, 'xy', 1234n],
        [null, null, null, null],
      ]),
    );
    expect(entries.map(({ file }) => [file.format, file.recordCount, file.splitOffsets])).toEqual(
      Array.from({ length: 3 }, () => ['PARQUET', 1n, [4n]]),
    );
    // What is kept of it when files around it are replaced.
    expect(
      decodeManifest(encodeManifest(entries, { schema, spec: newSpec([], schema), fields }), { specId: 0, fields }),
    ).toEqual(entries);
  });
});

describe('a manifest list', () => {
  it('when pyiceberg wrote it, reads whole and goes out as it came in', () => {
    const bytes = readFileSync(join(import.meta.dirname, 'fixtures/pyiceberg-manifest-list.avro'));
    const manifests = decodeManifestList(bytes);
    expect(manifests).toHaveLength(1);
    expect(manifests[0]).toMatchObject({
      specId: 0,
      content: 0,
      sequenceNumber: 1n,
      addedFiles: 3,
      existingFiles: 0,
      deletedFiles: 0,
      addedRows: 3n,
    });
    expect(manifests[0]?.partitions).toEqual([
      { containsNull: true, containsNan: false, lowerBound: int(-1), upperBound: int(18_262) },
      {
        containsNull: true,
        containsNan: false,
        lowerBound: Buffer.from('ff6a', 'hex'),
        upperBound: Buffer.from('04d2', 'hex'),
      },
    ]);
    expect(rewritten(manifests)).toEqual(manifests);
  });

  it('when Spark wrote it, reads whole and goes out as it came in', () => {
    const bytes = readFileSync(join(import.meta.dirname, 'fixtures/spark-manifest-list.avro'));
    const manifests = decodeManifestList(bytes);
    expect(manifests).toHaveLength(1);
    expect(manifests[0]).toMatchObject({ length: 8284n, addedFiles: 3, addedRows: 3n, sequenceNumber: 1n });
    expect(manifests[0]?.partitions?.[2]).toEqual({
      containsNull: true,
      containsNan: false,
      lowerBound: Buffer.from('ab'),
      upperBound: Buffer.from('xy'),
    });
    expect(rewritten(manifests)).toEqual(manifests);
  });
});

function rewritten(manifests: readonly ManifestFile[]): ManifestFile[] {
  return decodeManifestList(encodeManifestList(manifests, { id: 2n ** 62n, parentId: undefined, sequenceNumber: 2n }));
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
