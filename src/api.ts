/** `npm run api`: the HTTP API alone, one of several processes. */
import { layFoundations } from './compose/foundations.ts';
import { runProcess } from './compose/run-process.ts';
import { serveApi } from './compose/serve-api.ts';
import { loadConfig } from './config.ts';

await runProcess(loadConfig, async (config, logger, cleanup) => {
  const address = { ...config.http, variable: 'PORT' as const };
  const foundations = await layFoundations(config, { standing: 'shared', address }, logger, cleanup);
  const url = await serveApi(foundations);
  logger.info({ url }, 'ready');
  return { failed: new Promise<void>(() => undefined) };
});
