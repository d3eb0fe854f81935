/**
 * What the service and the drivers of one job tell each other in the job's folder; `launcher.py` is the other side and
 * says which file means what. Whoever puts a file first has it: the claim says who may run the application, so that no
 * driver that comes late can.
 */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import * as z from 'zod';
import { EngineError } from '../../errors.ts';
import type { JobFolder } from '../job-folder.ts';

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
  readonly #folder: JobFolder;

  /** @param folder the job's */
  constructor(folder: JobFolder) {
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
    return this.#folder.putIfAbsent('claim.json', JSON.stringify({ by: 'service', outcome: result }));
  }

  /** Says how the job ended; false when somebody was faster. */
  judge(result: Outcome): Promise<boolean> {
    return this.#folder.putIfAbsent('verdict.json', JSON.stringify(result));
  }

  /** What the master called the submissions that are known of. */
  submissions(): Promise<string[]> {
    return this.#folder.list('submissions');
  }

  async submitted(submissionId: string): Promise<void> {
    await this.#folder.putIfAbsent(`submissions/${submissionId}`, submissionId);
  }

  async askToStop(): Promise<void> {
    await this.#folder.putIfAbsent('stop', 'stop');
  }

  /** When the application was last seen working, by the clock of where the folder lies; undefined: never. */
  aliveAtMs(): Promise<number | undefined> {
    return this.#folder.writtenAtMs('alive');
  }

  /** Puts the launcher where the drivers find it; answers where. */
  placeLauncher(): Promise<string> {
    return this.#place(LAUNCHER, 'launcher.py');
  }

  /**
   * Puts the application where the drivers find it, as it is now; the first one stays. Answers where.
   *
   * @throws EngineError `ValidationError` when it cannot be read
   */
  placeApplication(path: string): Promise<string> {
    return this.#place(path, `application/${basename(path)}`);
  }

  async #place(source: string, name: string): Promise<string> {
    const content = await readFile(source).catch((error: unknown) => {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'EISDIR') throw error;
      throw new EngineError('ValidationError', `the application ${source} cannot be read (${code})`);
    });
    await this.#folder.putIfAbsent(name, content);
    return this.#folder.located(name);
  }

  async #read<T>(name: string, schema: z.ZodType<T>): Promise<T | undefined> {
    const text = await this.#folder.read(name);
    return text === undefined ? undefined : schema.parse(JSON.parse(text));
  }
}
