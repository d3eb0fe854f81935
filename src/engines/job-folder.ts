/**
 * The folder in staging of one job in another system: what the job and this service leave each other. On a disk that
 * both see (`local-job-folder.ts`), or on S3 (`s3/s3-job-folder.ts`). Names may have folders in front, `a/b.json`.
 */
export interface JobFolder {
  /** `file:///…/` or `s3://…/` */
  readonly uri: string;
  /** How a program of the Hadoop family finds what is called so in it: an absolute path, or `s3a://…`. */
  located(name: string): string;
  /** Undefined when there is none. */
  read(name: string): Promise<string | undefined>;
  /** Whole or not at all, and never over another one: false when there is one. */
  putIfAbsent(name: string, content: string | Uint8Array): Promise<boolean>;
  /** What lies in a folder of it (`''`: in itself), without what lies deeper; none when there is no such folder. */
  list(folder: string): Promise<string[]>;
  /** Another number whenever it was written again, by the clock of where it lies; undefined: there is none. */
  writtenAtMs(name: string): Promise<number | undefined>;
}
