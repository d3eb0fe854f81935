/** What ten thousand loads leave in a table's metadata: bounded, and every load still known. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseTableIdentifier } from '../../../src/engines/iceberg/catalog.ts';
import { forgetSnapshots } from '../../../src/engines/iceberg/forget-snapshots.ts';
import { findLoad, loadSummary, recordLoad } from '../../../src/engines/iceberg/load-ledger.ts';
import { currentManifests } from '../../../src/engines/iceberg/live-files.ts';
import { groupManifests } from '../../../src/engines/iceberg/merge-manifests.ts';
import { stagedMetadata } from '../../../src/engines/iceberg/staged-table.ts';
import { applyUpdates } from '../../../src/engines/iceberg/apply-changes.ts';
import type { TableUpdate } from '../../../src/engines/iceberg/table-changes.ts';
import type { Snapshot, TableMetadata } from '../../../src/engines/iceberg/table-metadata.ts';
import { Lake } from './lake.ts';

const HOUR_MS = 3_600_000;
const FIRST_MS = Date.parse('2024-03-30T00:00:00Z');
const iso = (n: number) => new Date(FIRST_MS + n * HOUR_MS).toISOString().replace('.000Z', '+00:00');
const interval = (n: number) => ({ column: 'h', startIso: iso(n), endIso: iso(n + 1) });
const nameOf = (n: number, backfill = 'b.1') => `${backfill}/${iso(n)}/lake`;

function empty(): TableMetadata {
  const schema = { type: 'struct' as const, fields: [] };
  return stagedMetadata({ schema, lastColumnId: 0, spec: { 'spec-id': 0, fields: [] } }, 'file:///t', 'uuid');
}

/** As the commit of a load leaves it. */
function after(metadata: TableMetadata, loadName: string, n: number, more: TableUpdate[] = []): TableMetadata {
  const sequenceNumber = metadata['last-sequence-number'] + 1n;
  const id = 1000n + sequenceNumber;
  const snapshot: Snapshot = {
    'snapshot-id': id,
    'sequence-number': sequenceNumber,
    'timestamp-ms': FIRST_MS + Number(sequenceNumber),
    'manifest-list': `file:///t/metadata/snap-${id}.avro`,
    summary: { operation: 'append', ...loadSummary(loadName, { rows: n, bytes: 1 }) },
  };
  const committed = { snapshotId: id, rows: n, bytes: 1 };
  const updates: TableUpdate[] = [
    { action: 'add-snapshot', snapshot },
    { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id },
    ...recordLoad(metadata, { loadName, interval: interval(n) }, committed, snapshot['timestamp-ms']),
    ...forgetSnapshots(metadata, loadName),
    ...more,
  ];
  return applyUpdates(metadata, updates, FIRST_MS);
}

describe('the ledger of a backfill', () => {
  it('when partitions are committed in any order, knows those that were, and no others', () => {
    let metadata = empty();
    // 7 and 500 have no common divisor, so that each comes once, and far from the one before.
    const order = Array.from({ length: 500 }, (_, at) => (at * 7) % 500);
    for (const [at, n] of order.entries()) {
      metadata = after(metadata, nameOf(n), n);
      if (at % 50 !== 0) continue;
      const done = new Set(order.slice(0, at + 1));
      for (const other of order) expect(findLoad(metadata, nameOf(other)) !== undefined).toBe(done.has(other));
    }
    const ledgers = Object.keys(metadata.properties ?? {}).filter((key) => key.startsWith('pipeline.'));
    expect(ledgers).toEqual(['pipeline.partitions.b.1/lake']);
    expect(metadata.properties?.['pipeline.partitions.b.1/lake']?.length).toBeLessThan(120);
    expect(findLoad(metadata, nameOf(3, 'b.2'))).toBeUndefined();
    expect(findLoad(metadata, nameOf(3, 'other.1'))).toBeUndefined();
    expect(findLoad(metadata, nameOf(3).replace('/lake', '/another'))).toBeUndefined();
    // The last ones still tell how many rows they brought, the others that they are there.
    expect(findLoad(metadata, nameOf(order.at(-1) ?? 0))).toMatchObject({ rows: order.at(-1) });
    expect(findLoad(metadata, nameOf(order[0] ?? 0))).toEqual({ snapshotId: null, rows: null, bytes: null });
  });

  it('when the same instants are written with the offset of another zone, is the same', () => {
    const metadata = after(empty(), 'b.1/2024-03-31T03:00:00+02:00/lake', 25);
    expect(findLoad(metadata, nameOf(25))).toBeDefined();
    expect(findLoad(metadata, nameOf(24))).toBeUndefined();
    expect(findLoad(metadata, nameOf(26))).toBeUndefined();
  });

  it('when a version before this one wrote a property for each, knows those, too', () => {
    const value = JSON.stringify({ 'snapshot-id': '7', rows: 3, bytes: 9, 'committed-at-ms': FIRST_MS });
    const metadata = { ...empty(), properties: { [`pipeline.load.${nameOf(4)}`]: value } };
    expect(findLoad(after(metadata, nameOf(5), 5), nameOf(4))).toEqual({ snapshotId: '7', rows: 3, bytes: 9 });
  });
});

describe('the snapshots of a backfill', () => {
  it('when there are more than a hundred, are forgotten but for the last ones, what is tagged, and what others made', () => {
    let metadata = after(empty(), 'a-run/lake', 0);
    for (let n = 1; n <= 300; n++) {
      const id = 1000n + metadata['last-sequence-number'] + 1n;
      const tag: TableUpdate = { action: 'set-snapshot-ref', 'ref-name': 'kept', type: 'tag', 'snapshot-id': id };
      metadata = after(metadata, nameOf(n), n, n === 20 ? [tag] : []);
      if (n === 150) metadata = after(metadata, 'another-run/lake', 0);
    }
    const kept = (metadata.snapshots ?? []).map(({ summary }) => summary['pipeline.load-id']);
    expect(kept).toHaveLength(104);
    expect(kept.slice(0, 3)).toEqual(['a-run/lake', nameOf(20), 'another-run/lake']);
    expect(kept.slice(3)).toEqual(Array.from({ length: 101 }, (_, at) => nameOf(200 + at)));
    expect(Object.keys(metadata.refs ?? {}).toSorted()).toEqual(['kept', 'main']);
    // Whoever asks for a time before the gap is told that it is gone, not the wrong rows.
    expect(metadata['snapshot-log']).toHaveLength(101);
    // A run that is no backfill forgets nothing.
    expect(forgetSnapshots(metadata, 'a-third-run/lake')).toEqual([]);
  });
});

describe('manifests', () => {
  const manifests = (...sizes: number[]) => sizes.map((sizeBytes) => ({ specId: 0, content: 0, sizeBytes }));
  const shape = (groups: unknown[][]) => groups.map((group) => group.length);
  const properties = { 'commit.manifest.min-count-to-merge': '4', 'commit.manifest.target-size-bytes': '100' };

  it.each([
    ['few, stay as they are', manifests(10, 10, 10), {}, [1, 1, 1]],
    ['as many as the table says, become one', manifests(10, 10, 10, 10), {}, [4]],
    ['more than one may hold, are packed from the oldest on', manifests(10, 50, 40, 40, 40, 90), {}, [1, 1, 1, 2, 1]],
    [
      'not to be merged, are not',
      manifests(1, 1, 1, 1, 1),
      { 'commit.manifest-merge.enabled': 'false' },
      [1, 1, 1, 1, 1],
    ],
    [
      'of several specs, or of deletes, are merged among their own',
      [
        ...manifests(1, 1, 1, 1),
        { specId: 1, content: 0, sizeBytes: 1 },
        { specId: 1, content: 0, sizeBytes: 1 },
        { specId: 1, content: 1, sizeBytes: 1 },
      ],
      {},
      [4, 2, 1],
    ],
  ])('when they are %s', (_, list, more, groups) => {
    expect(shape(groupManifests(list, { ...empty(), properties: { ...properties, ...more } }))).toEqual(groups);
  });
});

describe('a table that a backfill loads', () => {
  let lake: Lake;
  beforeAll(async () => {
    lake = await Lake.open();
  });
  afterAll(() => lake.close());
  const rowOf = (n: number) => `SELECT TIMESTAMP '${iso(n).slice(0, 19)}' AS h, ${n} AS n`;
  const load = (n: number) =>
    lake.load('m.hours', rowOf(n), { loadName: nameOf(n), interval: interval(n), partitionBy: ['day(h)'] });

  it('when partitions commit at once and out of order, has few manifests, one entry of the ledger, and each row once', async () => {
    await load(0);
    const set: TableUpdate = {
      action: 'set-properties',
      updates: {
        'commit.manifest.min-count-to-merge': '5',
        'write.metadata.previous-versions-max': '3',
        'write.metadata.delete-after-commit.enabled': 'true',
      },
    };
    await lake.catalog.commitTable(parseTableIdentifier('m.hours'), [], [set]);
    for (const some of [
      [4, 1, 9],
      [2, 11, 3],
      [8, 5, 12],
      [6, 7, 10],
    ])
      await Promise.all(some.map(load));

    const expected = Array.from({ length: 13 }, (_, n) => ({ n }));
    expect(await lake.query('m.hours', 'SELECT n FROM live ORDER BY n')).toEqual(expected);
    const metadata = await lake.metadata('m.hours');
    const table = await lake.catalog.loadTable(parseTableIdentifier('m.hours'));
    if (table === undefined) throw new Error('there is no table');
    const manifests = await currentManifests(metadata, table.io);
    expect(manifests.length).toBeLessThanOrEqual(5);
    expect(manifests.reduce((sum, { addedFiles, existingFiles }) => sum + addedFiles + existingFiles, 0)).toBe(13);
    expect(JSON.parse(metadata.properties?.['pipeline.partitions.b.1/lake'] ?? '{}')).toMatchObject({
      ranges: [[FIRST_MS, FIRST_MS + 13 * HOUR_MS]],
    });
    expect((await lake.everyFile()).filter((name) => name.endsWith('.metadata.json'))).toHaveLength(4);

    expect(await load(9)).toMatchObject({ alreadyCommitted: true, rows: 1 });
    expect(await lake.query('m.hours', 'SELECT n FROM live ORDER BY n')).toEqual(expected);
    expect(Number((await lake.metadata('m.hours'))['last-sequence-number'])).toBe(13);
  });
});
