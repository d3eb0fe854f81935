/** `npm run bench`: the performance bars as ratios, each measured side by side with the bare thing in this one run. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { benchDataPath } from './bench/data-path.ts';
import { benchOrchestration } from './bench/orchestration.ts';
import { benchStarts } from './bench/starts.ts';
import { startService } from './service-process.ts';

const BENCHES = { 'data-path': benchDataPath, orchestration: benchOrchestration, starts: benchStarts };
const names = Object.keys(BENCHES) as (keyof typeof BENCHES)[];

const { values, positionals } = parseArgs({ allowPositionals: true, options: { help: { type: 'boolean' } } });
const unknown = positionals.filter((name) => !Object.hasOwn(BENCHES, name));
if (values.help === true || unknown.length > 0) {
  console.log(`npm run bench -- [${names.join('|')} ...]   all of them when none is named`);
  process.exitCode = unknown.length > 0 ? 2 : 0;
} else {
  const chosen = positionals.length === 0 ? names : names.filter((name) => positionals.includes(name));
  for (const name of chosen) {
    const folder = await mkdtemp(join(tmpdir(), 'pipeline-bench-'));
    // A service of its own for each, so that none pays for another's history or memory.
    const service = await startService({
      dataDir: join(folder, 'data'),
      environment: { LOG_LEVEL: 'info' },
      report: console.error,
    });
    try {
      console.log(`(${name}) ${await BENCHES[name](service, folder)}`);
    } finally {
      await service.stop();
      await rm(folder, { recursive: true, force: true });
    }
  }
}
