/**
 * What one step hands to the next: a reference, never rows.
 *
 * A dataset is a folder of Parquet files in staging (`uri` ends with `/`; every `*.parquet` in it belongs), or one
 * local Parquet file that was taken where it lies (`uri` names the file and `reference` what it was like then).
 */
export interface Dataset {
  /** `file:///…/` for a folder, `file:///….parquet` for a file by reference. */
  uri: string;
  rows: number;
  bytes: number;
  reference?: FileReference;
}

/** What a file was like when it was taken by reference; another file under its name is an error, not other data. */
export interface FileReference {
  sha256: string;
  sizeBytes: number;
  /** Nanoseconds since 1970 as a decimal string. */
  modifiedNs: string;
}

/** What every engine call gets beside its own arguments. Engines know nothing of Temporal. */
export interface EngineContext {
  /** Aborted when the step is cancelled or its worker shuts down: stop working soon and throw `signal.reason`. */
  signal: AbortSignal;
  /** A line of the step's log, as the API shows it. Never a secret, never a row of data. */
  log: (level: 'info' | 'warn' | 'error', message: string) => void;
  /** How far the step is, 0 to 1. */
  progress: (fraction: number) => void;
}
