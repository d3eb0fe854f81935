import type { Config } from '../config.ts';
import type { SparkSubmitter } from '../engines/spark/spark-submitter.ts';
import { StandaloneMaster } from '../engines/spark/standalone-master.ts';
import { StandaloneSubmitter } from '../engines/spark/standalone-submitter.ts';

/** Undefined while it is not configured. */
export function openSpark({ restUrl }: Config['spark']): SparkSubmitter | undefined {
  return restUrl === undefined ? undefined : new StandaloneSubmitter(new StandaloneMaster(restUrl));
}
