/**
 * An HTTP proxy between the service and an engine, in which a test decides what becomes of each request: before it is
 * forwarded and before its answer is given back. There a test kills the service, cuts the connection or answers itself.
 */
import { once } from 'node:events';
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface ProxiedRequest {
  method: string;
  /** With its query. */
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
}

export interface ProxiedAnswer {
  status: number;
  body: string;
  headers?: Record<string, string>;
}

/** Nothing: it goes on its way. `cut`: the connection ends without an answer. Or another answer. */
type Reaction = undefined | 'cut' | ProxiedAnswer;

export interface ProxyHooks {
  /** The engine has not seen the request yet. */
  onRequest?: (request: ProxiedRequest) => Reaction | Promise<Reaction>;
  /** The engine has answered; the service has not seen it yet. */
  onAnswer?: (request: ProxiedRequest, answer: ProxiedAnswer) => Reaction | Promise<Reaction>;
}

export class KillingProxy implements AsyncDisposable {
  hooks: ProxyHooks = {};
  /** What the engine has answered so far. */
  readonly answered: { request: ProxiedRequest; answer: ProxiedAnswer }[] = [];
  readonly #target: URL;
  readonly #server: Server;

  /** @param target where the engine is, `http://127.0.0.1:port` */
  static async start(target: string): Promise<KillingProxy> {
    const proxy = new KillingProxy(new URL(target));
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  private constructor(target: URL) {
    this.#target = target;
    this.#server = createServer((incoming, outgoing) => {
      void this.#pass(incoming, outgoing).catch(() => {
        outgoing.destroy();
      });
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = (await buffer(incoming)).toString();
    const request = { method: incoming.method ?? '', path: incoming.url ?? '', headers: incoming.headers, body };
    const early = await this.hooks.onRequest?.(request);
    if (early !== undefined) {
      give(early, outgoing);
      return;
    }
    const answer = await this.#forward(request);
    if (answer !== 'cut') this.answered.push({ request, answer });
    const late = answer === 'cut' ? answer : await this.hooks.onAnswer?.(request, answer);
    give(late ?? answer, outgoing);
  }

  async #forward({ method, path, headers, body }: ProxiedRequest): Promise<ProxiedAnswer | 'cut'> {
    try {
      const { hostname, port } = this.#target;
      const seen = { ...headers, host: this.#target.host, 'accept-encoding': 'identity' }; // Hooks read the answers.
      const forwarded = httpRequest({ hostname, port, method, path, headers: seen });
      forwarded.end(body);
      const [response] = (await once(forwarded, 'response')) as [IncomingMessage];
      const type = response.headers['content-type'];
      return {
        status: response.statusCode ?? 0,
        body: (await buffer(response)).toString(),
        ...(type !== undefined && { headers: { 'content-type': type } }),
      };
    } catch {
      // The engine is away: so is this address.
      return 'cut';
    }
  }
}

function give(reaction: 'cut' | ProxiedAnswer, outgoing: ServerResponse): void {
  if (reaction === 'cut') outgoing.destroy();
  else outgoing.writeHead(reaction.status, reaction.headers).end(reaction.body);
}
