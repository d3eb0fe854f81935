/**
 * Who we are to a REST catalog: a bearer token, given or obtained for a client credential (REST specification,
 * `/v1/oauth/tokens`; RFC 6749, section 4.4).
 */
import { EngineError } from '../../errors.ts';
import { askCatalog } from './rest-exchange.ts';

export interface TokenSource {
  /** Undefined: requests carry none. */
  current(): Promise<string | undefined>;
  /** Told that the catalog did not take a token (any more); whether another one may do better. */
  rejected(token: string): boolean;
}

export const NO_TOKEN: TokenSource = { current: () => Promise.resolve(undefined), rejected: () => false };

export function givenToken(token: string): TokenSource {
  return { current: () => Promise.resolve(token), rejected: () => false };
}

export interface ClientCredential {
  id: string;
  secret: string;
  /** Where tokens are obtained. */
  endpoint: URL;
  scope: string;
  timeoutMs: number;
}

/** A token is not used any more when it has less than this left, or a tenth of its life. */
const RENEW_BEFORE_MS = 60_000;

interface Token {
  text: string;
  /** On the clock of `performance.now()`. */
  renewAtMs: number;
}

/** Obtains a token when one is needed, and the next one shortly before it expires or when it was rejected. */
export class ClientCredentialTokens implements TokenSource {
  readonly #credential: ClientCredential;
  #token: Promise<Token> | undefined;
  #held: Token | undefined;

  constructor(credential: ClientCredential) {
    this.#credential = credential;
  }

  /** @throws EngineError `PermissionDeniedError` when the credential is refused, `UnavailableError` */
  async current(): Promise<string> {
    if (this.#held !== undefined && performance.now() >= this.#held.renewAtMs) this.#forget();
    // Requests that come at once share one.
    this.#token ??= this.#obtain().catch((error: unknown) => {
      this.#forget();
      throw error;
    });
    this.#held = await this.#token;
    return this.#held.text;
  }

  rejected(token: string): boolean {
    // Somebody else may have renewed it meanwhile.
    if (this.#held?.text === token) this.#forget();
    return true;
  }

  #forget(): void {
    this.#token = undefined;
    this.#held = undefined;
  }

  async #obtain(): Promise<Token> {
    const { id, secret, endpoint, scope, timeoutMs } = this.#credential;
    const form = { grant_type: 'client_credentials', client_id: id, client_secret: secret, scope };
    const askedAtMs = performance.now();
    const { status, text } = await askCatalog({
      method: 'POST',
      url: endpoint.href,
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: new URLSearchParams(form).toString(),
      timeoutMs,
    });
    if (status !== 200) throw refusal(status, text);
    const { access_token: token, expires_in: seconds } = parseAnswer(text);
    if (typeof token !== 'string' || token === '') {
      throw new EngineError('UnavailableError', 'the token endpoint of the Iceberg catalog answered no access_token');
    }
    const lifeMs = typeof seconds === 'number' ? seconds * 1000 : Infinity;
    return { text: token, renewAtMs: askedAtMs + lifeMs - Math.min(RENEW_BEFORE_MS, lifeMs / 10) };
  }
}

/** Of the answer only the error's code is told (RFC 6749, section 5.2): its other texts are anybody's. */
function refusal(status: number, text: string): EngineError {
  const { error } = parseAnswer(text);
  const code = typeof error === 'string' && /^[\w.-]{1,64}$/.test(error) ? `, ${error}` : '';
  if (status === 429 || status >= 500) {
    return new EngineError('UnavailableError', `the Iceberg catalog gives no token now (HTTP ${status}${code})`);
  }
  return new EngineError(
    'PermissionDeniedError',
    `the Iceberg catalog gives no token for ICEBERG_CREDENTIAL (HTTP ${status}${code})`,
  );
}

function parseAnswer(text: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
