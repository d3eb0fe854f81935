/** Where the file of a sink becomes visible: whole, at once, and by one attempt (spec section 2). */
export interface FileTarget {
  /** As people wrote it. */
  shown: string;
  /** A local file of this attempt alone, in which the rows are written first; its folder is there. */
  temporary: string;
  /** What an earlier attempt of the same load has made visible already. */
  written: () => Promise<WrittenFile | undefined>;
  /** Makes the temporary the file. Aborting before the last moment leaves what was there. */
  publish: (rows: number, signal: AbortSignal) => Promise<WrittenFile>;
  /** Removes what this attempt left. */
  discard: () => Promise<void>;
}

export interface WrittenFile {
  rows: number;
  bytes: number;
  /** `file://…` or `s3://…` */
  uri: string;
}
