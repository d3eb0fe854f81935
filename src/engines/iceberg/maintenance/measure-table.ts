import { type IcebergCatalog, parseTableIdentifier } from '../catalog.ts';
import { requireTable } from './commit-named.ts';
import { forLiveFiles, manifestsOf } from './file-references.ts';
import { currentSnapshot } from '../table-metadata.ts';

/** A table as its current snapshot has it. */
export interface TableSize {
  dataFiles: number;
  /** Of data files. */
  bytes: number;
  records: number;
  deleteFiles: number;
  /** All that the table has, of every branch. */
  snapshots: number;
}

/** @throws EngineError `ValidationError` when it is not there */
export async function measureTable(
  table: string,
  { catalog }: { catalog: IcebergCatalog },
  signal: AbortSignal,
): Promise<TableSize> {
  const { metadata, io } = await requireTable(catalog, parseTableIdentifier(table));
  const size = { dataFiles: 0, bytes: 0, records: 0, deleteFiles: 0, snapshots: metadata.snapshots?.length ?? 0 };
  const current = currentSnapshot(metadata);
  const manifests = current === undefined ? [] : (await manifestsOf([current], io, signal)).values();
  await forLiveFiles(manifests, io, signal, (entries, { content }) => {
    if (content !== 0) {
      size.deleteFiles += entries.length;
      return;
    }
    for (const { file } of entries) {
      size.dataFiles += 1;
      size.bytes += Number(file.sizeBytes);
      size.records += Number(file.recordCount);
    }
  });
  return size;
}
