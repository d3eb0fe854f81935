/**
 * What the service and the drivers of one job tell each other in the job's folder; `launcher.py` is the other side and
 * says which file means what. Whoever puts a file first has it: the claim says who may run the application, so that no
 * driver that comes late can.
 */
import { randomUUID } from 'node:crypto';
import { copyFile, link, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import * as z from 'zod';
import { EngineError } from '../../errors.ts';

const outcome = z.object({
  /** `failed`: the application or its driver; `stopped`: because the service asked; `killed`: because somebody asked Spark. */
  state: z.enum(['done', 'failed', 'stopped', 'killed']),
  /** The end of the driver's log, or what else is known. */
  log: z.string().default(''),
});
const claim = z.discriminatedUnion('by', [
  z.object({ by: z.literal('driver'), submissionId: z.string(), logUrl: z.string().nullish() }),
  // No driver will have this name any more; that is the outcome.
  z.object({ by: z.literal('service'), outcome }),
]);

export type Outcome = z.output<typeof outcome>;
export type DriverClaim = Extract<z.output<typeof claim>, { by: 'driver' }>;

const LAUNCHER = join(import.meta.dirname, 'launcher.py');

export class JobNotes {
  readonly #folder: string;

  /** @param folder the job's, absolute */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** How the application ended, as its launcher tells it; undefined while it does not. */
  outcome(): Promise<Outcome | undefined> {
    return this.#read('outcome.json', outcome);
  }

  /** How the job ended, where that takes more than its launcher's word; undefined while the service has not said so. */
  async verdict(): Promise<Outcome | undefined> {
    const claimed = await this.#read('claim.json', claim);
    return claimed?.by === 'service' ? claimed.outcome : this.#read('verdict.json', outcome);
  }

  /** The driver that runs the application, or ran it. */
  async claim(): Promise<DriverClaim | undefined> {
    const found = await this.#read('claim.json', claim);
    return found?.by === 'driver' ? found : undefined;
  }

  /** Takes the name, so that no driver can from now on; false when somebody was faster. */
  close(result: Outcome): Promise<boolean> {
    return this.#putIfAbsent('claim.json', JSON.stringify({ by: 'service', outcome: result }));
  }

  /** Says how the job ended; false when somebody was faster. */
  judge(result: Outcome): Promise<boolean> {
    return this.#putIfAbsent('verdict.json', JSON.stringify(result));
  }

  /** What the master called the submissions that are known of. */
  async submissions(): Promise<string[]> {
    return readdir(join(this.#folder, 'submissions')).catch(noneIfAbsent([]));
  }

  async submitted(submissionId: string): Promise<void> {
    await mkdir(join(this.#folder, 'submissions'), { recursive: true });
    await writeFile(join(this.#folder, 'submissions', submissionId), '');
  }

  async askToStop(): Promise<void> {
    await writeFile(join(this.#folder, 'stop'), '');
  }

  /** When the application was last seen working, by the clock of its file system; undefined: never. */
  async aliveAtMs(): Promise<number | undefined> {
    const found = await stat(join(this.#folder, 'alive')).catch(noneIfAbsent(undefined));
    return found?.mtimeMs;
  }

  /** Puts the launcher where the drivers find it; answers where. */
  async placeLauncher(): Promise<string> {
    return this.#place(LAUNCHER, join(this.#folder, 'launcher.py'));
  }

  /**
   * Puts the application where the drivers find it, as it is now; the first one stays.
   *
   * @throws EngineError `ValidationError` when it cannot be read
   */
  async placeApplication(path: string): Promise<string> {
    const folder = join(this.#folder, 'application');
    await mkdir(folder, { recursive: true });
    return this.#place(path, join(folder, basename(path)));
  }

  async #place(source: string, target: string): Promise<string> {
    const temporary = this.#temporary();
    try {
      await copyFile(source, temporary).catch((error: unknown) => {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'EISDIR') throw error;
        throw new EngineError('ValidationError', `the application ${source} cannot be read (${code})`);
      });
      await link(temporary, target).catch(noneIfPresent);
      return target;
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async #putIfAbsent(name: string, content: string): Promise<boolean> {
    const temporary = this.#temporary();
    try {
      await writeFile(temporary, content, { flush: true });
      return await link(temporary, join(this.#folder, name)).then(() => true, noneIfPresent);
    } finally {
      await rm(temporary, { force: true });
    }
  }

  #temporary(): string {
    return join(this.#folder, `.${randomUUID()}`);
  }

  async #read<T>(name: string, schema: z.ZodType<T>): Promise<T | undefined> {
    const text = await readFile(join(this.#folder, name), 'utf8').catch(noneIfAbsent(undefined));
    return text === undefined ? undefined : schema.parse(JSON.parse(text));
  }
}

function noneIfAbsent<T>(none: T): (error: unknown) => T {
  return (error) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return none;
    throw error;
  };
}

function noneIfPresent(error: unknown): false {
  if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
  throw error;
}
