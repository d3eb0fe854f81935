import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { SpillFolder } from './duckdb/spill-folder.ts';

/**
 * Private folders for copies that this process makes on their way to or from another place. Those that a killed process
 * left are removed by the next one that needs any.
 */
export class Scratch {
  readonly #root: string;
  #own: Promise<SpillFolder> | undefined;

  /** @param root absolute; made when the first folder is */
  constructor(root: string) {
    this.#root = root;
  }

  /** A new, empty folder; ends with `/`. Whoever asked for it removes it. */
  async newFolder(): Promise<string> {
    this.#own ??= SpillFolder.open(this.#root);
    return `${await mkdtemp(join((await this.#own).path, 'copies-'))}/`;
  }

  async close(): Promise<void> {
    await (await this.#own?.catch(() => undefined))?.close();
  }
}
