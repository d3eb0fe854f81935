/** Temporal as the configuration says: the server of TEMPORAL_ADDRESS, or an embedded one of our own. */
import type { Logger } from '../logger.ts';
import { startDevServer, type DevServer } from './dev-server.ts';
import { findTemporal } from './find-temporal.ts';
import type { Report } from './temporal-binary.ts';

export interface StartTemporalOptions {
  temporal: { address: string | undefined; namespace: string };
  cacheDir: string;
  /** The real path of the locked folder; undefined: in memory. */
  dataDir: string | undefined;
  logger: Logger;
  /** Lines for whoever waits while a server is obtained. */
  report: Report;
}

/** @throws StartupError when no server can be had */
export async function startTemporal(options: StartTemporalOptions): Promise<DevServer> {
  const { temporal, cacheDir, dataDir, logger, report } = options;
  if (temporal.address !== undefined) {
    return { address: temporal.address, uiUrl: undefined, stop: () => Promise.resolve() };
  }
  const binary = await findTemporal(cacheDir, report);
  return startDevServer({ binary, namespaces: [temporal.namespace], logger, dataDir });
}
