import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { StartupError } from '../startup-error.ts';
import type { Cleanup } from './cleanup.ts';

/** Answers where it listens. @throws StartupError when it cannot */
export async function listen(
  handler: RequestListener,
  { host, port, variable = 'PORT' }: { host: string; port: number; variable?: string },
  cleanup: Cleanup,
): Promise<string> {
  const http = createServer(handler);
  await new Promise<void>((listening, failed) => {
    http.once('error', (error) => {
      failed(new StartupError(`${variable} ${port} on HOST ${host} cannot be listened on: ${error.message}`));
    });
    http.listen(port, host, listening);
  });
  cleanup.add(
    () =>
      new Promise((closed) => {
        http.close(closed);
        http.closeIdleConnections();
      }),
  );
  const address = http.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
}
