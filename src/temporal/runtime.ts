/** The Temporal SDK's native part: one for each process, set up before anything connects. */
import { Runtime, type Logger as SdkLogger, type LogLevel } from '@temporalio/worker';
import type { Logger } from '../logger.ts';
import { freePorts } from './free-ports.ts';

/** A port that was free may be taken before the exporter has it. */
const INSTALL_ATTEMPTS = 4;

/**
 * The SDK writes into our log stream and serves its own metrics (`temporal_sdk_…`) on loopback. Signals are ours to
 * handle: left to the SDK, SIGTERM would stop its workers before the API stopped taking work.
 * @returns where the SDK's metrics are
 */
export async function installTemporalRuntime(logger: Logger): Promise<{ sdkMetricsUrl: string }> {
  for (let attempt = 1; ; attempt += 1) {
    const [port] = await freePorts([undefined]);
    const bindAddress = `127.0.0.1:${port}`;
    try {
      Runtime.install({
        logger: sdkLogger(logger),
        shutdownSignals: [],
        telemetryOptions: {
          logging: { forward: {}, filter: { core: 'WARN', other: 'ERROR' } },
          metrics: {
            metricPrefix: 'temporal_sdk_',
            prometheus: { bindAddress, countersTotalSuffix: true, unitSuffix: true, useSecondsForDurations: true },
          },
        },
      });
      return { sdkMetricsUrl: `http://${bindAddress}/metrics` };
    } catch (error) {
      if (attempt === INSTALL_ATTEMPTS) throw error;
    }
  }
}

function sdkLogger(logger: Logger): SdkLogger {
  const at =
    (level: 'trace' | 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, meta: object = {}) => {
      logger[level](meta, message);
    };
  return {
    log: (level: LogLevel, message, meta = {}) => {
      at(level.toLowerCase() as Lowercase<LogLevel>)(message, meta);
    },
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
  };
}
