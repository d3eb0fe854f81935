/**
 * Requests to an Iceberg REST catalog (Apache Iceberg, `open-api/rest-catalog-open-api.yaml`): where its resources are
 * (`/v1/config`), who we are, and another try where one is harmless: a token that was not taken (401), too many
 * requests (429). In both cases the catalog did nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../../errors.ts';
import { refusalOf } from './rest-errors.ts';
import { askCatalog, type CatalogAnswer, NotSent } from './rest-exchange.ts';
import { ClientCredentialTokens, givenToken, NO_TOKEN, type TokenSource } from './rest-token.ts';

export interface RestClientOptions {
  /** `https://host/path`, without `/v1`. */
  uri: string;
  /** As the catalog knows it. */
  warehouse?: string | undefined;
  /** A bearer token. */
  token?: string | undefined;
  /** `id:secret` of an OAuth2 client, instead of a token. */
  credential?: string | undefined;
  /** Of each request. */
  timeoutMs?: number | undefined;
}

/** What `/v1/config` told. */
interface Session {
  /** Ends with a slash; resources lie below it. */
  root: string;
  /** Between the levels of a namespace, as it stands in a path. */
  separator: string;
  tokens: TokenSource;
}

export interface CatalogRequest {
  method: 'GET' | 'POST';
  /** Below `/v1/{prefix}/`; gets the path of a namespace. */
  path: (namespacePath: (levels: readonly string[]) => string) => string;
  body?: string;
}

const TIMEOUT_MS = 60_000;
const MAX_WAITS = 4;
const WAIT = { firstMs: 500, mostMs: 10_000 };

export class RestClient {
  readonly #base: URL;
  readonly #options: RestClientOptions;
  readonly #timeoutMs: number;
  /** In no message. */
  readonly #secrets: string[];
  #session: Promise<Session> | undefined;

  constructor(options: RestClientOptions) {
    this.#base = new URL(withSlash(options.uri));
    this.#options = options;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    const { secret } = splitCredential(options.credential ?? '');
    this.#secrets = [options.token ?? '', options.credential ?? '', secret].filter((text) => text !== '');
  }

  /**
   * The catalog's answer, whatever its status.
   *
   * @throws NotSent when the catalog surely has not seen the request: it is away, or there is no token for us
   * @throws EngineError `UnavailableError` when nobody knows whether it has
   */
  async send({ method, path, body }: CatalogRequest): Promise<CatalogAnswer> {
    const session = await beforeSending(this.#connect());
    const url = new URL(
      path((levels) => levels.map(encodeURIComponent).join(session.separator)),
      session.root,
    );
    return this.#authorized(session.tokens, method, url, body);
  }

  /** Asked for when first needed, so that a service starts also while its catalog is away. */
  #connect(): Promise<Session> {
    this.#session ??= this.#open().catch((error: unknown) => {
      this.#session = undefined;
      throw error;
    });
    return this.#session;
  }

  async #open(): Promise<Session> {
    const tokens = await this.#tokens();
    const config = readConfig(await this.#authorized(tokens, 'GET', this.#configUrl(), undefined));
    const base = this.#resolve(withSlash(config['uri'] ?? ''));
    const prefix = config['prefix'] ?? '';
    return {
      root: new URL(prefix === '' ? 'v1/' : `v1/${prefix}/`, base).href,
      separator: config['namespace-separator'] ?? '%1F',
      tokens,
    };
  }

  async #tokens(): Promise<TokenSource> {
    const { token, credential } = this.#options;
    if (token !== undefined) return givenToken(token);
    if (credential === undefined) return NO_TOKEN;
    // A catalog that answers without a token tells where to get one; the others have their own endpoint for it.
    const open = await this.#authorized(NO_TOKEN, 'GET', this.#configUrl(), undefined);
    const passing = open.status === 429 || open.status >= 500;
    const config = open.status === 200 || passing ? readConfig(open) : {};
    const endpoint = this.#resolve(config['oauth2-server-uri'] ?? 'v1/oauth/tokens');
    const scope = config['scope'] ?? 'catalog';
    const timeoutMs = this.#timeoutMs;
    return new ClientCredentialTokens({ ...splitCredential(credential), endpoint, scope, timeoutMs });
  }

  /** An address that the catalog told, which may be relative to its own. */
  #resolve(told: string): URL {
    const url = new URL(told, this.#base);
    if (this.#base.protocol === 'https:' && url.protocol !== 'https:') {
      throw new EngineError('ValidationError', `the Iceberg catalog names ${url.origin}, without TLS; it is not used`);
    }
    return url;
  }

  #configUrl(): URL {
    const url = new URL('v1/config', this.#base);
    const { warehouse } = this.#options;
    if (warehouse !== undefined) url.searchParams.set('warehouse', warehouse);
    return url;
  }

  async #authorized(
    tokens: TokenSource,
    method: CatalogRequest['method'],
    url: URL,
    body: string | undefined,
  ): Promise<CatalogAnswer> {
    let renewed = false;
    for (let waits = 0; ;) {
      const token = await beforeSending(tokens.current());
      const headers = {
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      };
      const sent = { method, url: url.href, headers, timeoutMs: this.#timeoutMs, ...(body !== undefined && { body }) };
      const answer = await askCatalog(sent);
      // 419 is what the specification once called it.
      const untrusted = answer.status === 401 || answer.status === 419;
      if (untrusted && token !== undefined && !renewed && tokens.rejected(token)) {
        renewed = true;
        continue;
      }
      if (answer.status === 429 && waits < MAX_WAITS) {
        const waitMs = answer.retryAfterMs ?? WAIT.firstMs * 2 ** waits;
        await sleep(Math.min(WAIT.mostMs, waitMs));
        waits += 1;
        continue;
      }
      return answer.status < 300 ? answer : { ...answer, text: this.#withoutSecrets(answer.text, token) };
    }
  }

  /** What a catalog says of an error may be shown; some repeat what they were sent. */
  #withoutSecrets(text: string, token: string | undefined): string {
    const secrets = token === undefined ? this.#secrets : [...this.#secrets, token];
    return secrets.reduce((cleaned, secret) => {
      return cleaned.replaceAll(secret, '…').replaceAll(encodeURIComponent(secret), '…');
    }, text);
  }
}

/** What fails before a request is sent leaves the catalog as it was. */
function beforeSending<T>(step: Promise<T>): Promise<T> {
  return step.catch((error: unknown) => {
    throw error instanceof EngineError ? new NotSent(error) : error;
  });
}

/** Of `defaults` and `overrides` (REST specification, `CatalogConfig`), the latter go first. */
function readConfig(answer: CatalogAnswer): Partial<Record<string, string>> {
  if (answer.status !== 200) throw refusalOf(answer, 'tell its configuration');
  try {
    const { defaults, overrides } = JSON.parse(answer.text) as Record<string, Record<string, string> | undefined>;
    return { ...defaults, ...overrides };
  } catch {
    throw new EngineError('UnavailableError', 'ICEBERG_REST_URI does not answer as an Iceberg REST catalog does');
  }
}

/** So that paths are resolved below it; empty stays empty. */
function withSlash(uri: string): string {
  return uri === '' || uri.endsWith('/') ? uri : `${uri}/`;
}

function splitCredential(credential: string): { id: string; secret: string } {
  const colon = credential.indexOf(':');
  return { id: credential.slice(0, colon), secret: credential.slice(colon + 1) };
}
