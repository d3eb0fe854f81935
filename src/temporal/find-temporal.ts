/** Obtains the `temporal` command, whose dev server is the embedded Temporal: what is there, else a download, else a build. */
import { messageOf } from '../errors.ts';
import { StartupError } from '../startup-error.ts';
import { buildTemporal } from './build-temporal.ts';
import { downloadTemporal } from './download-temporal.ts';
import { cachePlace, checkRuns, type Report } from './temporal-binary.ts';

/**
 * @param cacheDir where what is downloaded or built is kept
 * @param report gets a line now and then while it takes long
 * @returns a command that runs: `temporal`, or a path
 * @throws StartupError that says what was tried and what to install
 */
export async function findTemporal(cacheDir: string, report: Report): Promise<string> {
  const ways: [string, () => Promise<string>][] = [
    ['a `temporal` command on the PATH', () => checked('temporal')],
    ['one obtained before', async () => checked((await cachePlace(cacheDir)).binary)],
    ['the download of the Temporal SDK', () => downloadTemporal(cacheDir, report)],
    ['a build with Go', () => buildTemporal(cacheDir, report)],
  ];
  const failures: string[] = [];
  for (const [way, obtain] of ways) {
    try {
      return await obtain();
    } catch (error) {
      failures.push(`  ${way}: ${messageOf(error)}`);
    }
  }
  throw new StartupError(
    `There is no Temporal server, and none could be obtained:\n${failures.join('\n')}\n` +
      'Install the Temporal CLI (https://docs.temporal.io/cli) or Go 1.26.8 or later (https://go.dev/dl), ' +
      'or set TEMPORAL_ADDRESS to a server that runs.',
  );
}

async function checked(binary: string): Promise<string> {
  await checkRuns(binary);
  return binary;
}
