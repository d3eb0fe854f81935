/** Where the demo listens. */
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Where the command line looks for a service unless it is told otherwise. */
const DEFAULT_PORT = 8092;

/** `PORT` when it is set; else 8092, or 0 (any) when somebody is there already. The service refuses what is no port. */
export async function preferredPort(wanted: string | undefined): Promise<number> {
  if (wanted !== undefined && wanted !== '') return Number(wanted);
  const probe = createServer();
  try {
    probe.listen(DEFAULT_PORT, '127.0.0.1');
    await once(probe, 'listening');
    return DEFAULT_PORT;
  } catch {
    return 0;
  } finally {
    probe.close();
  }
}
