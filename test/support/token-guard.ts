/**
 * What a REST catalog asks of its callers, in front of one that asks nothing: a bearer token that its endpoint gave for
 * a client credential. In its refusals it repeats what it was sent, which nobody may show then.
 */
import { createHash } from 'node:crypto';
import type { ProxiedAnswer, ProxiedRequest } from './killing-proxy.ts';

export class TokenGuard {
  readonly credential: { id: string; secret: string };
  /** Of the tokens to come. */
  lifeSeconds = 3600;
  /** Every token that was ever given. */
  readonly issued: string[] = [];
  refusals = 0;
  #valid = new Set<string>();

  constructor(credential: { id: string; secret: string }) {
    this.credential = credential;
  }

  /** No token is taken any more; new ones are given. */
  revoke(): void {
    this.#valid.clear();
  }

  /** For {@link ProxyHooks.onRequest}: nothing when the request may pass. */
  check({ path, headers, body }: ProxiedRequest): ProxiedAnswer | undefined {
    if (path === '/v1/oauth/tokens') return this.#give(new URLSearchParams(body));
    const token = headers.authorization?.replace('Bearer ', '') ?? '';
    if (this.#valid.has(token)) return undefined;
    this.refusals += 1;
    const error = { message: `Not authorized: ${token}`, type: 'NotAuthorizedException', code: 401 };
    return { status: 401, body: JSON.stringify({ error }) };
  }

  #give(form: URLSearchParams): ProxiedAnswer {
    const { id, secret } = this.credential;
    if (form.get('client_id') !== id || form.get('client_secret') !== secret) {
      const error = { error: 'invalid_client', error_description: `not ${form.get('client_secret') ?? ''}` };
      return { status: 401, body: JSON.stringify(error) };
    }
    const token = createHash('sha256').update(`${id} ${this.issued.length}`).digest('hex');
    this.issued.push(token);
    this.#valid.add(token);
    const { lifeSeconds } = this;
    return {
      status: 200,
      body: JSON.stringify({ access_token: token, token_type: 'bearer', expires_in: lifeSeconds }),
    };
  }
}
