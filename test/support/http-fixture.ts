/** A real HTTP server on loopback whose answers a test decides, and what it was asked. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface AskedRequest {
  method: string;
  /** Path and query. */
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: string;
}

export type Answer = (asked: AskedRequest, response: ServerResponse, server: HttpFixture) => unknown;

export class HttpFixture implements AsyncDisposable {
  readonly asked: AskedRequest[] = [];
  readonly port: number;
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    this.url = `http://127.0.0.1:${this.port}`;
  }

  /** @param answer what it returns is sent as JSON, unless it ended the answer itself */
  static async start(answer: Answer): Promise<HttpFixture> {
    const server = createServer((request, response) => {
      void text(request).then((body) => {
        const { pathname, search, searchParams: query } = new URL(request.url ?? '/', 'http://server');
        const { method = '', headers } = request;
        const asked = { method, path: `${pathname}${search}`, query, headers, body };
        fixture.asked.push(asked);
        const value = answer(asked, response, fixture);
        if (value === undefined) return;
        if (!response.hasHeader('content-type')) response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify(value));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const fixture = new HttpFixture(server);
    return fixture;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
