/** Which loads a run's sinks have had, as the sinks themselves say: their ledgers are the truth, our records are not. */
import { access } from 'node:fs/promises';
import { parseTableIdentifier, type IcebergCatalog } from '../engines/iceberg/catalog.ts';
import { findLoad } from '../engines/iceberg/load-ledger.ts';
import { withPostgres } from '../engines/postgres/with-postgres.ts';
import type { S3Access } from '../engines/s3/s3-access.ts';
import { isS3Uri, parseS3Uri } from '../engines/s3/s3-address.ts';
import { findLoads } from '../engines/sinks/postgres-ledger.ts';
import { locateTable } from '../engines/sinks/postgres-table.ts';
import { type FileRoots, resolveWritablePath } from '../engines/sources/file-roots.ts';
import type { FileSink, PostgresSink, Sink } from '../schemas/definition.ts';
import type { BegunLoad } from '../store/begun-loads.ts';
import type { LoadedRun, RunLoader } from './load-run.ts';
import type { SecretResolver } from './secrets.ts';

export interface CommittedLoadsDependencies {
  catalog: IcebergCatalog;
  secrets: SecretResolver;
  roots: FileRoots;
  s3: S3Access | undefined;
  loadRun: RunLoader;
}

/**
 * Those of `begun` whose rows are in a sink of the given run. A file sink is asked nothing: it is written anew by every load.
 *
 * @param sinks which of the run's sinks are asked
 */
export async function committedLoads(
  { catalog, secrets }: CommittedLoadsDependencies,
  run: LoadedRun,
  sinks: readonly Sink[],
  begun: readonly BegunLoad[],
  signal: AbortSignal,
): Promise<BegunLoad[]> {
  const names = [...new Set(begun.map(nameOf))];
  const found = new Set<string>();
  if (names.length === 0) return [];
  for (const sink of sinks) {
    signal.throwIfAborted();
    const there =
      sink.type === 'iceberg'
        ? await inTable(catalog, sink.table, names)
        : sink.type === 'postgres'
          ? await inPostgres(await secrets.resolve(run.row.tenant, sink.connection), sink, names, signal)
          : [];
    for (const name of there) found.add(name);
  }
  return begun.filter((load) => found.has(nameOf(load)));
}

/**
 * Those of `begun` that wrote a file beside the one that the given run will write to the same sink (its path holds
 * `${run_id}` or another parameter). A file has no ledger: one that was recorded counts, and one that is there does.
 */
export async function filesBeside(
  { roots, s3, loadRun }: CommittedLoadsDependencies,
  run: LoadedRun,
  begun: readonly BegunLoad[],
): Promise<BegunLoad[]> {
  const beside: BegunLoad[] = [];
  for (const load of begun) {
    const own = fileSinkOf(run, load);
    if (own === undefined) continue;
    const other = fileSinkOf(await loadRun(load.executionId), load);
    if (other === undefined || other.path === own.path) continue;
    if (load.status === 'COMPLETED' || (await isThere(other.path, roots, s3))) beside.push(load);
  }
  return beside;
}

async function inTable(catalog: IcebergCatalog, written: string, names: readonly string[]): Promise<string[]> {
  const table = await catalog.loadTable(parseTableIdentifier(written));
  return table === undefined ? [] : names.filter((name) => findLoad(table.metadata, name) !== undefined);
}

async function inPostgres(
  url: string,
  { table }: PostgresSink,
  names: string[],
  signal: AbortSignal,
): Promise<Iterable<string>> {
  return withPostgres({ url, signal }, async (client) => findLoads(client, await locateTable(client, table), names));
}

function fileSinkOf({ document }: LoadedRun, { step }: BegunLoad): FileSink | undefined {
  const sink = document.definition.sinks[step.slice('load:'.length)];
  return sink?.type === 'file' ? sink : undefined;
}

async function isThere(path: string, roots: FileRoots, s3: S3Access | undefined): Promise<boolean> {
  // What S3 cannot say now is no answer: the step is tried again.
  if (isS3Uri(path)) return (await s3?.objects.head(parseS3Uri(path))) !== undefined;
  try {
    await access((await resolveWritablePath(path, roots)).path);
    return true;
  } catch {
    return false;
  }
}

/** As `loadNameOf` of the run that began it. */
function nameOf({ rootExecutionId, step }: BegunLoad): string {
  return `${rootExecutionId}/${step.slice('load:'.length)}`;
}
