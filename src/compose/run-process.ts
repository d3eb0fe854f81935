/** The life of a process: configuration, start, SIGTERM, an end in order. The same for every entry. */
import { messageOf } from '../errors.ts';
import { createLogger, type Logger, type LogLevel } from '../logger.ts';
import { StartupError } from '../startup-error.ts';
import { Cleanup } from './cleanup.ts';

/** Whatever still hangs after this is left to the end of the process; everything is made to survive that. */
const STOP_WITHIN_MS = 25_000;

/** Serves until `failed` rejects or a signal comes. */
export type Serve<C> = (config: C, logger: Logger, cleanup: Cleanup) => Promise<{ failed: Promise<void> }>;

export async function runProcess<C extends { logLevel: LogLevel }>(load: () => C, serve: Serve<C>): Promise<void> {
  let config: C;
  try {
    config = load();
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
  const logger = createLogger(config.logLevel);
  const cleanup = new Cleanup();
  // A signal that comes while the service starts is obeyed once it is there to be stopped in order.
  const started = serve(config, logger, cleanup);
  let stopping: Promise<void> | undefined;
  const stop = (exitCode: number): Promise<void> => {
    stopping ??= (async () => {
      setTimeout(() => {
        logger.error('not stopped in time; ending');
        process.exit(1);
      }, STOP_WITHIN_MS).unref();
      await started.catch(() => undefined);
      await cleanup.run(logger);
      logger.info('stopped');
      process.exit(exitCode);
    })();
    return stopping;
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      logger.info({ signal }, 'stopping');
      void stop(0);
    });
  }
  try {
    const { failed } = await started;
    failed.catch((error: unknown) => {
      logger.fatal({ reason: messageOf(error) }, 'a worker failed');
      void stop(1);
    });
  } catch (error) {
    if (error instanceof StartupError) process.stderr.write(`${error.message}\n`);
    else logger.fatal({ error }, 'the service did not start');
    await stop(1);
  }
}
