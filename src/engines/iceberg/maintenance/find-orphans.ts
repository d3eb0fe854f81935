/**
 * Which of the files below a table's location nothing refers to. Pure, and careful: a file is an orphan only if it is old,
 * lies in the table's own folder and in no other table's, and is named in no form by the metadata. Where that cannot be
 * told there are none, and a reason.
 */
import type { ListedFile } from '../file-io.ts';
import { canonicalPath, fileNameOf, isInFolder } from './canonical-path.ts';

export interface FolderContents {
  /** Of the table. */
  location: string;
  files: readonly ListedFile[];
  /** All that the metadata names, in whatever form. */
  referenced: Iterable<string>;
  /** Folders of other tables. */
  others: readonly string[];
  /** Files that were written to since may be part of a commit that is under way. */
  olderThanMs: number;
  nowMs: number;
}

export type Orphans = { files: ListedFile[] } | { unsure: string };

/** Files that engines keep for themselves. What a killed writer of this service left in its own folder is an orphan, too. */
const HIDDEN = /^[._]/;
const OWN_SCRATCH = /^\.scratch-/;
const METADATA_FILE = /\.metadata\.json$|\.gz\.metadata\.json$|\.metadata\.json\.gz$/;
const HADOOP_HINT = 'version-hint.text';

export function findOrphans({ location, files, referenced, others, olderThanMs, nowMs }: FolderContents): Orphans {
  const root = canonicalPath(location);
  if (!/^(?:\/[^/]|s3:\/\/[^/]+\/.)/.test(root))
    return { unsure: `${location} is no folder that a table has for itself` };
  const named = new Set<string>();
  for (const path of referenced) named.add(canonicalPath(path));
  const listed = files.map((file) => ({ ...file, path: canonicalPath(file.uri) }));
  const foreign = foreignFolders(
    root,
    listed.map(({ path }) => path),
    others,
  );
  if (typeof foreign === 'string') return { unsure: foreign };
  const unnamed = listed.filter(({ path }) => isInFolder(path, root) && !named.has(path));
  const alias = aliasOf(
    named,
    listed.map(({ path }) => path),
    unnamed.map(({ path }) => path),
  );
  if (alias !== undefined) return { unsure: alias };
  const orphans = unnamed.filter(
    ({ path, modifiedMs }) =>
      nowMs - modifiedMs > olderThanMs &&
      !isHidden(path.slice(root.length)) &&
      !foreign.some((folder) => isInFolder(path, folder)),
  );
  return { files: orphans.map(({ uri, sizeBytes, modifiedMs }) => ({ uri, sizeBytes, modifiedMs })) };
}

/** Whether it is a metadata file of some table. */
export function isMetadataFile(path: string): boolean {
  return METADATA_FILE.test(path);
}

function isHidden(below: string): boolean {
  const parts = below.split('/').filter((part) => part !== '');
  if (parts.at(-1) === HADOOP_HINT) return true;
  return parts.some((part) => HIDDEN.test(part) && !OWN_SCRATCH.test(part));
}

/**
 * Folders below the root that are other tables', whether a catalog told of them or they have metadata files of their own;
 * a reason to be unsure when another table has this very folder, or one around it.
 */
function foreignFolders(root: string, paths: readonly string[], others: readonly string[]): string[] | string {
  const foreign = new Set<string>();
  for (const other of others.map(canonicalPath)) {
    if (other === root || other === `${root}/`) return `another table has the folder ${root}, too`;
    // What lies in a folder around this one is that table's business; this folder is this table's.
    if (isInFolder(other, root)) {
      const inOwn = [`${root}/data`, `${root}/metadata`].some((own) => other === own || isInFolder(other, own));
      if (inOwn) return `another table has its files in ${other}`;
      foreign.add(other);
    }
  }
  for (const path of paths) {
    if (!isMetadataFile(path)) continue;
    const folder = path.slice(0, path.lastIndexOf('/'));
    const table = folder.endsWith('/metadata') ? folder.slice(0, -'/metadata'.length) : folder;
    if (table === root || !isInFolder(table, root)) continue;
    if (isInFolder(table, `${root}/data`)) return `there are metadata files of a table in ${folder}`;
    foreign.add(table);
  }
  return [...foreign];
}

/** Names that the metadata has in a form by which they are not found: then nothing here can be told from an orphan. */
function aliasOf(
  named: ReadonlySet<string>,
  listed: readonly string[],
  unnamed: readonly string[],
): string | undefined {
  const there = new Set(listed);
  const notFound = new Set<string>();
  for (const path of named) if (!there.has(path)) notFound.add(fileNameOf(path));
  const suspect = unnamed.find((path) => notFound.has(fileNameOf(path)));
  if (suspect === undefined) return undefined;
  return `${suspect} may be a file that the table's metadata names in another form`;
}
