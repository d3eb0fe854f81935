import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { StartupError } from '../startup-error.ts';
import type { Cleanup } from './cleanup.ts';
import { startingAnswer } from './starting-answer.ts';

export interface PortAddress {
  host: string;
  port: number;
  /** That the port comes from. */
  variable: 'PORT' | 'METRICS_PORT';
}

/** A port that this process has, and answers on from its start. */
export interface OpenPort {
  url: string;
  /** From now on this answers; it is stopped before whatever was added to the clean-up earlier. */
  serve: (handler: RequestListener) => void;
}

/**
 * Takes the port before anything slow is started: one that somebody else has is told at once.
 *
 * @throws StartupError when it cannot be listened on
 */
export async function openPort({ host, port, variable }: PortAddress, cleanup: Cleanup): Promise<OpenPort> {
  let handler = startingAnswer;
  const http = createServer((request, response) => {
    handler(request, response);
  });
  await new Promise<void>((listening, failed) => {
    http.once('error', (error) => {
      failed(new StartupError(`${variable} ${port} on HOST ${host} cannot be listened on: ${error.message}`));
    });
    http.listen(port, host, listening);
  });
  const close = () =>
    new Promise((closed) => {
      // What is closed already says so, which is as good.
      http.close(closed);
      http.closeIdleConnections();
    });
  cleanup.add(close);
  const address = http.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    serve(next) {
      handler = next;
      cleanup.add(close);
    },
  };
}
