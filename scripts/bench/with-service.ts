import type { ServiceProcess } from '../service-process.ts';

/** Starts the service of a bench, each time on the same data. */
export type StartBenched = () => Promise<ServiceProcess>;

/** Uses a service, and ends it whatever happened. */
export async function withService<T>(start: StartBenched, use: (service: ServiceProcess) => Promise<T>): Promise<T> {
  const service = await start();
  try {
    return await Promise.race([use(service), service.failed]);
  } finally {
    await service.stop();
  }
}
