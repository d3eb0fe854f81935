/** `npm run worker`: the workers of TASK_QUEUES alone, one of several processes. */
import { layFoundations } from './compose/foundations.ts';
import { runProcess } from './compose/run-process.ts';
import { serveProbes } from './compose/serve-probes.ts';
import { serveWorkers } from './compose/serve-workers.ts';
import { loadConfig } from './config.ts';

await runProcess(loadConfig, async (config, logger, cleanup) => {
  const address = { host: config.http.host, port: config.metricsPort, variable: 'METRICS_PORT' as const };
  const foundations = await layFoundations(config, { standing: 'shared', address }, logger, cleanup);
  const workers = await serveWorkers(foundations, cleanup, () => config.http.publicUrl ?? '');
  const url = serveProbes(foundations);
  logger.info({ url, taskQueues: config.worker.taskQueues }, 'ready');
  return { failed: workers.finished };
});
