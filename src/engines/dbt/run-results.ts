/** dbt's artifact run_results.json (https://docs.getdbt.com/reference/artifacts/run-results-json), as far as it is told. */
import { readFile } from 'node:fs/promises';
import * as z from 'zod';

const runResults = z.object({
  results: z.array(
    z.object({
      status: z.string(),
      /** `model.shop.daily`: kind, project, name. */
      unique_id: z.string(),
      message: z.string().nullish(),
      adapter_response: z.record(z.string(), z.unknown()).default({}),
    }),
  ),
});

export interface DbtCounts {
  passed: number;
  failed: number;
  /** Not tried, mostly since something before it failed. */
  skipped: number;
}

export interface DbtResults {
  /** Models, seeds, snapshots: what builds something. */
  models: DbtCounts;
  tests: DbtCounts;
  /** `model daily: Database Error …`, in dbt's order. */
  failures: string[];
  /** Rows that the models wrote; undefined when the adapter tells none. */
  rows: number | undefined;
}

const PASSED = new Set(['success', 'pass', 'warn', 'no-op', 'reused']);
const FAILED = new Set(['error', 'fail', 'runtime error', 'partial success']);
const TESTS = new Set(['test', 'unit_test']);

/** Undefined when dbt ended before it wrote any. */
export async function readRunResults(file: string): Promise<DbtResults | undefined> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  return text === undefined ? undefined : summarize(runResults.parse(JSON.parse(text)));
}

function summarize({ results }: z.output<typeof runResults>): DbtResults {
  const summary: DbtResults = {
    models: { passed: 0, failed: 0, skipped: 0 },
    tests: { passed: 0, failed: 0, skipped: 0 },
    failures: [],
    rows: undefined,
  };
  for (const { unique_id: id, status, message, adapter_response: response } of results) {
    const [kind = '', , ...name] = id.split('.');
    if (kind === 'operation' && !FAILED.has(status)) continue; // A hook of the project.
    const counts = TESTS.has(kind) ? summary.tests : summary.models;
    if (PASSED.has(status)) counts.passed += 1;
    else if (!FAILED.has(status)) counts.skipped += 1;
    else {
      counts.failed += 1;
      summary.failures.push(`${kind} ${name[0] ?? id}: ${told(message ?? status)}`);
    }
    const rows = response['rows_affected'];
    if (typeof rows === 'number' && rows >= 0 && !TESTS.has(kind)) summary.rows = (summary.rows ?? 0) + rows;
  }
  return summary;
}

/** Without the place of compiled code, which is gone when somebody reads this. */
function told(message: string): string {
  return message.replace(/\n\s*compiled code at .*$/m, '').trim();
}
