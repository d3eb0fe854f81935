import { describe, expect, it } from 'vitest';
import { parseTableIdentifier } from '../../../src/engines/iceberg/catalog.ts';
import { LocalFileIo } from '../../../src/engines/iceberg/local-file-io.ts';
import { RestCatalog } from '../../../src/engines/iceberg/rest-catalog.ts';
import { messageOf } from '../../../src/errors.ts';
import { fault, standIn, type Answer, type Asked } from './stand-in.ts';

const TABLE = parseTableIdentifier('a.t');
const SECRET = 's3cr:t+/=';
const NO_TABLE = fault(404, 'NoSuchTableException');

/** A catalog that wants a token, and the endpoint that gives some. */
class Guard {
  tokenPath = '/v1/oauth/tokens';
  /** Answered to whoever has no token. */
  openConfig: object | undefined;
  lifeSeconds: number | undefined;
  issued = 0;
  valid = new Set<string>();
  forms: Record<string, string>[] = [];

  readonly answer = ({ path, headers, body }: Asked): Answer => {
    if (path === this.tokenPath) return this.#token(body);
    const token = /^Bearer (.*)$/.exec(headers.authorization ?? '')?.[1];
    if (path === '/v1/config' && token === undefined && this.openConfig !== undefined) return { body: this.openConfig };
    // As careless as a catalog may be.
    if (!this.valid.has(token ?? '')) return fault(401, 'NotAuthorizedException', `not valid: ${token ?? 'nothing'}`);
    return path === '/v1/config' ? { body: { defaults: {}, overrides: {} } } : NO_TABLE;
  };

  #token(body: string): Answer {
    const form = Object.fromEntries(new URLSearchParams(body));
    this.forms.push(form);
    if (form['client_id'] !== 'me' || form['client_secret'] !== SECRET) {
      return { status: 401, body: { error: 'invalid_client', error_description: `bad secret ${SECRET}` } };
    }
    this.issued += 1;
    const token = `token-${this.issued}`;
    this.valid.add(token);
    return { body: { access_token: token, token_type: 'bearer', expires_in: this.lifeSeconds } };
  }
}

async function ask(
  guard: Guard,
  options: { token?: string; credential?: string },
  between: (() => void)[] = [],
): Promise<unknown> {
  await using server = await standIn(guard.answer);
  const catalog = new RestCatalog({ uri: server.url, io: new LocalFileIo(), ...options });
  try {
    await Promise.all([catalog.loadTable(TABLE), catalog.loadTable(TABLE)]);
    for (const happens of between) {
      happens();
      await catalog.loadTable(TABLE);
    }
    return 'answered';
  } catch (error) {
    return error;
  }
}

describe('a catalog that wants a token', () => {
  it('when it is given one, answers; another one is refused, and not shown', async () => {
    const guard = new Guard();
    guard.valid.add('right');
    expect(await ask(guard, { token: 'right' })).toBe('answered');
    const error = await ask(guard, { token: 'wrong-7' });
    expect(error).toMatchObject({ type: 'PermissionDeniedError' });
    expect(messageOf(error)).toContain('ICEBERG_TOKEN');
    expect(messageOf(error)).not.toContain('wrong-7');
  });

  it('when nothing is configured, refuses', async () => {
    expect(await ask(new Guard(), {})).toMatchObject({ type: 'PermissionDeniedError' });
  });

  it('when there is a client credential, is asked with one token for it', async () => {
    const guard = new Guard();
    expect(await ask(guard, { credential: `me:${SECRET}` })).toBe('answered');
    expect(guard.forms).toEqual([
      { grant_type: 'client_credentials', client_id: 'me', client_secret: SECRET, scope: 'catalog' },
    ]);
  });

  it('when the credential is wrong, refuses, and nothing of it is shown', async () => {
    const error = await ask(new Guard(), { credential: 'me:wr0ng' });
    expect(error).toMatchObject({ type: 'PermissionDeniedError' });
    expect(messageOf(error)).toMatch(/ICEBERG_CREDENTIAL.*invalid_client/);
    expect(messageOf(error)).not.toMatch(/wr0ng|bad secret/);
  });

  it('when its configuration names another endpoint and scope, gets the token there', async () => {
    const guard = new Guard();
    guard.tokenPath = '/idp/token';
    guard.openConfig = { overrides: { 'oauth2-server-uri': '/idp/token', scope: 'all' } };
    expect(await ask(guard, { credential: `me:${SECRET}` })).toBe('answered');
    expect(guard.forms).toMatchObject([{ scope: 'all' }]);
  });

  it('when a token is about to expire, is asked with a new one before it does', async () => {
    const guard = new Guard();
    guard.lifeSeconds = 0;
    expect(await ask(guard, { credential: `me:${SECRET}` }, [() => undefined])).toBe('answered');
    expect(guard.issued).toBeGreaterThan(2);
  });

  it('when it takes a token no more, is asked again with a new one', async () => {
    const guard = new Guard();
    const revoke = () => {
      guard.valid.clear();
    };
    expect(await ask(guard, { credential: `me:${SECRET}` }, [revoke, revoke])).toBe('answered');
    expect(guard.issued).toBe(3);
  });

  it('when it takes no token at all, refuses after one more', async () => {
    const guard = new Guard();
    const never = () => {
      guard.valid = { has: () => false, add: () => undefined } as unknown as Set<string>;
    };
    const error = await ask(guard, { credential: `me:${SECRET}` }, [never]);
    expect(error).toMatchObject({ type: 'PermissionDeniedError' });
    expect(messageOf(error)).not.toMatch(/token-\d/);
    expect(guard.issued).toBe(2);
  });

  it('when the endpoint for tokens is away, fails for now', async () => {
    await using server = await standIn(({ path }) =>
      path.endsWith('/tokens') ? { status: 503, body: '' } : fault(401, 'NotAuthorizedException'),
    );
    const catalog = new RestCatalog({ uri: server.url, io: new LocalFileIo(), credential: 'a:b' });
    await expect(catalog.loadTable(TABLE)).rejects.toMatchObject({ type: 'UnavailableError' });
  });
});
