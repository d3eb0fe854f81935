import type { Config } from '../config.ts';
import { JobManager } from '../engines/flink/job-manager.ts';
import type { Flink } from '../engines/flink/run-job.ts';
import { SqlGateway } from '../engines/flink/sql-gateway.ts';

/** Undefined while it is not configured. */
export function openFlink({ sqlGatewayUrl, restUrl }: Config['flink']): Flink | undefined {
  if (sqlGatewayUrl === undefined || restUrl === undefined) return undefined;
  return { gateway: new SqlGateway(sqlGatewayUrl), jobManager: new JobManager(restUrl) };
}
