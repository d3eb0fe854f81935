/** `npm start`: the API and all workers in one process, with embedded defaults for whatever is not configured. */
import { layFoundations } from './compose/foundations.ts';
import { runProcess } from './compose/run-process.ts';
import { serveApi } from './compose/serve-api.ts';
import { serveWorkers } from './compose/serve-workers.ts';
import { loadConfig } from './config.ts';

await runProcess(loadConfig, async (config, logger, cleanup) => {
  const address = { ...config.http, variable: 'PORT' as const };
  const foundations = await layFoundations(config, { standing: 'alone', address }, logger, cleanup);
  let url = config.http.publicUrl ?? '';
  const workers = await serveWorkers(foundations, cleanup, () => config.http.publicUrl ?? url);
  url = await serveApi(foundations);
  const { dataDir, temporalAddress, temporalUi } = foundations;
  logger.info({ url, dataDir, temporal: temporalAddress, temporalUi }, 'ready');
  return { failed: workers.finished };
});
