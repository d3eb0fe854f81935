import { messageOf } from '../errors.ts';
import type { Logger } from '../logger.ts';

/** Undoes what was started, the newest first; what cannot be undone keeps nothing else from being. */
export class Cleanup {
  readonly #undo: (() => unknown)[] = [];

  add(undo: () => unknown): void {
    this.#undo.push(undo);
  }

  async run(logger: Logger): Promise<void> {
    for (const undo of this.#undo.toReversed()) {
      try {
        await undo();
      } catch (error) {
        logger.warn({ reason: messageOf(error) }, 'not stopped cleanly');
      }
    }
  }
}
