/**
 * An HTTP proxy between the service and an engine, in which a test decides what becomes of each request: before it is
 * forwarded and before its answer is given back. There a test kills the service, cuts the connection or answers itself.
 */
import { once } from 'node:events';
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
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
  /** The same as bytes. */
  raw?: Buffer;
}

export interface ProxiedAnswer {
  status: number;
  body: string;
  headers?: IncomingHttpHeaders;
  /** The body as bytes, where it is passed on exactly. */
  raw?: Buffer;
}

/** Nothing: it goes on its way. `cut`: the connection ends without an answer. Or another answer. */
type Reaction = undefined | 'cut' | ProxiedAnswer;

export interface ProxyHooks {
  /** The engine has not seen the request yet. */
  onRequest?: (request: ProxiedRequest) => Reaction | Promise<Reaction>;
  /** The engine has answered; the service has not seen it yet. */
  onAnswer?: (request: ProxiedRequest, answer: ProxiedAnswer) => Reaction | Promise<Reaction>;
}

/** Before the engine sees a request, before its answer is given back, or a moment after that. */
export type KillMoment = 'request' | 'answer' | 'later';

export interface KillPoint {
  moment: KillMoment;
  /** The answer is there at all moments but `request`. */
  isIt: (request: ProxiedRequest, answer?: ProxiedAnswer) => boolean;
  /** After the answer, for the moment `later`. */
  laterMs?: number;
}

export class KillingProxy implements AsyncDisposable {
  hooks: ProxyHooks = {};
  /** What the engine has answered so far. */
  readonly answered: { request: ProxiedRequest; answer: ProxiedAnswer }[] = [];
  readonly #target: URL;
  readonly #manner: 'readable' | 'exact';
  readonly #server: Server;

  /**
   * @param target where the engine is, `http://127.0.0.1:port`
   * @param manner `exact`: headers and bodies go both ways as they are, since the caller may have signed them
   */
  static async start(target: string, manner: 'readable' | 'exact' = 'readable'): Promise<KillingProxy> {
    const proxy = new KillingProxy(new URL(target), manner);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  private constructor(target: URL, manner: 'readable' | 'exact') {
    this.#target = target;
    this.#manner = manner;
    this.#server = createServer((incoming, outgoing) => {
      void this.#pass(incoming, outgoing).catch(() => {
        outgoing.destroy();
      });
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /**
   * Kills at one moment of the first request that is meant; resolves when that is done.
   */
  killAt({ moment, isIt, laterMs = 0 }: KillPoint, end: () => Promise<void>): Promise<void> {
    const { promise: killed, resolve } = Promise.withResolvers<void>();
    const kill = async (): Promise<'cut'> => {
      this.hooks = {};
      await end();
      resolve();
      return 'cut';
    };
    this.hooks = {
      onRequest: (request) => (moment === 'request' && isIt(request) ? kill() : undefined),
      onAnswer: (request, answer) => {
        if (moment === 'request' || !isIt(request, answer)) return undefined;
        if (moment === 'answer') return kill();
        setTimeout(() => void kill(), laterMs);
        return undefined;
      },
    };
    return killed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const raw = await buffer(incoming);
    const { method = '', url: path = '', headers } = incoming;
    const request = { method, path, headers, body: raw.toString(), raw };
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

  async #forward({ method, path, headers, body, raw }: ProxiedRequest): Promise<ProxiedAnswer | 'cut'> {
    try {
      const { hostname, port } = this.#target;
      const exact = this.#manner === 'exact';
      const readable = { ...headers, host: this.#target.host, 'accept-encoding': 'identity' }; // Hooks read the answers.
      const forwarded = httpRequest({ hostname, port, method, path, headers: exact ? headers : readable });
      forwarded.end(exact ? raw : body);
      const [response] = (await once(forwarded, 'response')) as [IncomingMessage];
      const type = response.headers['content-type'];
      const answered = await buffer(response);
      const status = response.statusCode ?? 0;
      if (exact) return { status, body: answered.toString(), raw: answered, headers: endToEnd(response.headers) };
      return {
        status,
        body: answered.toString(),
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
  else outgoing.writeHead(reaction.status, reaction.headers).end(reaction.raw ?? reaction.body);
}

/** Without what is of one connection only (RFC 9110, section 7.6.1). */
function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const ofConnection = ['connection', 'keep-alive', 'transfer-encoding'];
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !ofConnection.includes(name)));
}
