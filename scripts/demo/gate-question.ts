/** The quality gate's question, put to whoever sits at the terminal. */
import { createInterface } from 'node:readline/promises';

/**
 * Asks until the answer is yes or no.
 * @returns undefined when the terminal was closed or Ctrl-C pressed instead, or the signal aborted
 */
export async function askAtGate(signal: AbortSignal): Promise<boolean | undefined> {
  const prompt = createInterface({ input: process.stdin, output: process.stdout });
  const closed = new AbortController();
  prompt.once('close', () => {
    closed.abort();
  });
  prompt.once('SIGINT', () => {
    prompt.close();
  });
  try {
    for (;;) {
      const asked = prompt.question('\nLoad it nevertheless? [y/n] ', {
        signal: AbortSignal.any([signal, closed.signal]),
      });
      const answer = (await asked).trim().toLowerCase();
      if (['y', 'yes'].includes(answer)) return true;
      if (['n', 'no'].includes(answer)) return false;
    }
  } catch {
    return undefined;
  } finally {
    prompt.close();
  }
}
