import { DuckDBInstance } from '@duckdb/node-api';

/** What every instance is made with; nothing is ever downloaded or loaded from outside. */
export const CLOSED_IN = {
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
  allow_community_extensions: 'false',
  allow_persistent_secrets: 'false',
};

/**
 * Fresh in-memory instances, with one made ahead: making one takes 8 ms, more than most small queries. Each is handed
 * out once and closed by whoever took it, so nothing passes from one session to the next.
 */
export class SpareInstance {
  readonly #config: Readonly<Record<string, string>>;
  #spare: Promise<DuckDBInstance> | undefined;
  #closed = false;

  constructor(config: Readonly<Record<string, string>>) {
    this.#config = { ...config, ...CLOSED_IN };
  }

  async take(): Promise<DuckDBInstance> {
    const spare = this.#spare ?? this.#create();
    this.#spare = undefined;
    return spare;
  }

  /** Makes the next one in the background. */
  prepare(): void {
    if (this.#closed || this.#spare !== undefined) return;
    this.#spare = this.#create();
    // Told to whoever takes it.
    this.#spare.catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const spare = await this.#spare?.catch(() => undefined);
    this.#spare = undefined;
    spare?.closeSync();
  }

  #create(): Promise<DuckDBInstance> {
    return DuckDBInstance.create(':memory:', this.#config);
  }
}
