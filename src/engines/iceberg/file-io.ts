/**
 * Where the files of a table lie: Iceberg spec, "File System Operations" (in-place write, seekable reads, deletes; no
 * rename is needed to commit): local files (`local-file-io.ts`) or objects (`s3-file-io.ts`).
 */
export interface FileIo {
  read(uri: string): Promise<Buffer>;
  /** A new file, safe against a power cut when this returns. Never replaces one. */
  write(uri: string, content: Uint8Array): Promise<void>;
  exists(uri: string): Promise<boolean>;
  /** All files below a folder, folders within it too, in no order; none when it is not there. Links are not followed. */
  list(folder: string, signal?: AbortSignal): AsyncIterable<ListedFile>;
  /** Nothing happens when it is gone already. */
  delete(uri: string): Promise<void>;
  /** A new, empty local folder (ending with `/`), from which {@link publish} takes files; the caller removes it. */
  newScratchFolder(dataFolder: string): Promise<string>;
  /** Local files become files of the table, safe against a power cut when this returns. */
  publish(files: readonly LocalFile[], signal?: AbortSignal): Promise<void>;
  /** A local path that has the content of `uri`, to be read as long as `scratchFolder` is there. */
  localCopy(uri: string, scratchFolder: string, signal?: AbortSignal): Promise<string>;
}

export interface ListedFile {
  uri: string;
  sizeBytes: number;
  /** Milliseconds since 1970. */
  modifiedMs: number;
}

/** A file that is to lie at `uri`. */
export interface LocalFile {
  localPath: string;
  uri: string;
}
