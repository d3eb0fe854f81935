/** A program that answers as a test says, where a REST catalog would be: for what a real one does not do on request. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface Asked {
  method: string;
  /** With its query. */
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface Answer {
  status?: number;
  /** JSON, or text as it is. */
  body: unknown;
  headers?: Record<string, string>;
}

export interface StandIn extends AsyncDisposable {
  url: string;
  asked: Asked[];
}

/** @param answer undefined: 404 without a word */
export async function standIn(
  answer: (asked: Asked) => Answer | undefined | Promise<Answer | undefined>,
): Promise<StandIn> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    void text(request).then(async (body) => {
      const one = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body };
      asked.push(one);
      const { status = 200, body: told, headers } = (await answer(one)) ?? { status: 404, body: '' };
      response.writeHead(status, headers).end(typeof told === 'string' ? told : JSON.stringify(told));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** As the REST specification's `IcebergErrorResponse`. */
export function fault(status: number, type: string, message = `about ${type}`): Answer {
  return { status, body: { error: { message, type, code: status } } };
}
