/** `npm run bench`: the performance bars as ratios, each measured side by side with the bare thing in this one run. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { benchBackfill } from './bench/backfill.ts';
import { benchDataPath } from './bench/data-path.ts';
import { benchOrchestration } from './bench/orchestration.ts';
import { benchRestart } from './bench/restart.ts';
import { benchStarts } from './bench/starts.ts';
import { startService } from './service-process.ts';

const BENCHES = {
  orchestration: benchOrchestration,
  'data-path': benchDataPath,
  starts: benchStarts,
  restart: benchRestart,
  backfill: benchBackfill,
};
const names = Object.keys(BENCHES) as (keyof typeof BENCHES)[];
const HELP = `npm run bench -- [${names.join('|')} ...]   all of them when none is named

  orchestration  40 one-row transformations in a chain, against a bare workflow that runs the same activities
  data-path      the demo's data path, against one plain DuckDB script; peak memory of the service
  starts         200 executions at once over HTTP, against Temporal's bare client; memory when they are done
  restart        how long a second start takes, and what the service uses while nothing happens
  backfill       time for a partition of 10,000 against one of 500, the service killed three times on the way

Prints ratios with the seconds behind them, and whether each is within its bar. Ends with 1 when a bench cannot be run;
a bar that is missed is printed only, since other work on the machine can make it so.`;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { help: { type: 'boolean' } } });
const unknown = positionals.filter((name) => !Object.hasOwn(BENCHES, name));
if (values.help === true || unknown.length > 0) {
  console.log(HELP);
  process.exitCode = unknown.length > 0 ? 2 : 0;
} else {
  const chosen = positionals.length === 0 ? names : names.filter((name) => positionals.includes(name));
  for (const name of chosen) {
    const folder = await mkdtemp(join(tmpdir(), 'pipeline-bench-'));
    // A service of its own for each, so that none pays for another's history or memory.
    const start = () => startService({ dataDir: join(folder, 'data'), report: console.error });
    try {
      for (const line of await BENCHES[name](start, folder)) console.log(`(${name}) ${line}`);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}
