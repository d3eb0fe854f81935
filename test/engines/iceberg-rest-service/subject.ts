import { expect } from 'vitest';
import type { ProxyHooks } from '../../support/killing-proxy.ts';
import type { Service } from '../../support/service.ts';
import type { TokenGuard } from '../../support/token-guard.ts';
import type { RestLakehouse } from '../iceberg-rest-lakehouse.ts';

/** The whole service, the REST catalog of its tables, and what stands before that. */
export interface Subject {
  service: Service;
  rest: RestLakehouse;
  guard: TokenGuard;
  /** What the service is started with. */
  environment: Record<string, string>;
  /** Absolute path of what every run loads: {@link ROWS} numbers and which third of them each is in. */
  csv: string;
}

export const ROWS = 500;
const QUICK = { initial_interval: '500ms', max_interval: '1s', max_attempts: 20 };

/** Requests of the service pass when they have a token, and what a test does to them is done. */
export function pass({ rest, guard }: Subject, { onRequest, onAnswer }: ProxyHooks = {}): void {
  rest.proxy.hooks = {
    onRequest: (request) => guard.check(request) ?? onRequest?.(request),
    ...(onAnswer && { onAnswer }),
  };
}

/** Loads the numbers into the table `service.<name>`, in a run of its own; the id of its workflow. */
export async function startRun({ service, csv }: Subject, name: string): Promise<string> {
  const pipelineId = await service.register({
    name,
    version: '1',
    definition: {
      sources: { numbers: { type: 'file', path: csv, format: 'csv' } },
      sinks: { lake: { type: 'iceberg', from: 'numbers', table: `service.${name}`, partition_by: ['part'] } },
      orchestration: { retry: { load_to_iceberg: QUICK } },
    },
  });
  return (await service.execute(pipelineId)).workflowId;
}

/** One snapshot, and each row once, as both readers find them. */
export async function expectOneLoad({ rest }: Subject, name: string): Promise<void> {
  const table = rest.lakehouse.table(`service.${name}`);
  await table.apply({ sql: `SELECT i AS n, i % 3 AS part FROM range(${ROWS}) r(i)` });
  const history = await rest.lakehouse.judge.history(table.name);
  expect(history).toHaveLength(1);
  await table.expectSound(history.map(({ snapshotId }) => snapshotId));
}
