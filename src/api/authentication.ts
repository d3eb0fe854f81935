/**
 * Bearer tokens (spec section 4, "Auth"; RFC 7519, RFC 6750). The configuration alone says which algorithms count: HS256
 * with a secret, signatures by the issuer's keys with a key set. What the token's header claims changes nothing.
 */
import type { IncomingHttpHeaders } from 'node:http';
import {
  createRemoteJWKSet,
  errors,
  jwtVerify,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
} from 'jose';
import * as z from 'zod';
import type { Config } from '../config.ts';
import { ServiceError } from '../errors.ts';
import { ROLES, type Caller } from './access.ts';

export type AuthSettings = Config['auth'];
export type Authenticate = (headers: IncomingHttpHeaders) => Promise<Caller>;

const SIGNATURE_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
/** Below the 2 s within which the API says that something is away. */
const KEYS_TIMEOUT_MS = 1500;

/** The tenant is also a folder in staging and of secrets, so it has the form of a plain name. */
const claims = z.object({
  sub: z.string().regex(/^[^\u0000-\u001f\u007f]{1,255}$/),
  tenant_id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/),
  roles: z.array(z.string().max(255)).max(100),
});

/** Open mode's only caller. */
const LOCAL: Caller = { tenant: 'default', user: 'local', roles: ROLES };

/** Open when neither a key set nor a secret is configured. */
export function isOpen({ jwksUrl, jwtSecret }: AuthSettings): boolean {
  return jwksUrl === undefined && jwtSecret === undefined;
}

/**
 * The check of a request's headers.
 * Its errors: UNAUTHORIZED, TOKEN_EXPIRED, TENANT_MISMATCH, and SERVICE_UNAVAILABLE when the issuer's keys are away.
 */
export function createAuthenticate(settings: AuthSettings): Authenticate {
  const verify = isOpen(settings) ? undefined : createVerify(settings);
  return async (headers) => {
    const caller = verify === undefined ? LOCAL : callerOf(await verify(bearerToken(headers)));
    const asked = headers['x-tenant-id'];
    if (asked !== undefined && asked !== caller.tenant) {
      throw new ServiceError('TENANT_MISMATCH', 'X-Tenant-ID is not the tenant of this caller');
    }
    return caller;
  };
}

function createVerify({ jwksUrl, jwtSecret, issuer, audience }: AuthSettings): (token: string) => Promise<JWTPayload> {
  const options: JWTVerifyOptions = {
    requiredClaims: ['exp', 'sub'],
    ...(issuer !== undefined && { issuer }),
    ...(audience !== undefined && { audience }),
  };
  if (jwksUrl !== undefined) {
    const keys: JWTVerifyGetKey = createRemoteJWKSet(new URL(jwksUrl), { timeoutDuration: KEYS_TIMEOUT_MS });
    return (token) =>
      verified(
        jwtVerify(token, (header, jws) => keysOrAway(keys, header, jws), {
          ...options,
          algorithms: SIGNATURE_ALGORITHMS,
        }),
      );
  }
  const secret = new TextEncoder().encode(jwtSecret);
  return (token) => verified(jwtVerify(token, secret, { ...options, algorithms: ['HS256'] }));
}

/** Tells keys that cannot be had, for now, from a token that no key fits. */
async function keysOrAway(
  keys: JWTVerifyGetKey,
  ...asked: Parameters<JWTVerifyGetKey>
): Promise<Awaited<ReturnType<JWTVerifyGetKey>>> {
  try {
    return await keys(...asked);
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) throw error;
    if (error instanceof errors.JOSENotSupported) throw error;
    throw new ServiceError('SERVICE_UNAVAILABLE', 'The keys of the token issuer cannot be had');
  }
}

async function verified(verification: Promise<{ payload: JWTPayload }>): Promise<JWTPayload> {
  try {
    return (await verification).payload;
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    if (error instanceof errors.JWTExpired) throw new ServiceError('TOKEN_EXPIRED', 'The token has expired');
    if (error instanceof errors.JWTClaimValidationFailed) {
      throw new ServiceError('UNAUTHORIZED', `The token's claim ${error.claim} is not acceptable`);
    }
    // Whatever else goes wrong with a token, the caller learns only that it is not a good one.
    throw new ServiceError('UNAUTHORIZED', 'The token is not valid');
  }
}

function bearerToken(headers: IncomingHttpHeaders): string {
  const [, token] = /^Bearer +([A-Za-z0-9._~+/=-]+) *$/i.exec(headers.authorization ?? '') ?? [];
  if (token === undefined) throw new ServiceError('UNAUTHORIZED', 'Expected Authorization: Bearer with a token');
  return token;
}

function callerOf(payload: JWTPayload): Caller {
  const parsed = claims.safeParse(payload);
  if (parsed.success) {
    return { tenant: parsed.data.tenant_id, user: parsed.data.sub, roles: parsed.data.roles };
  }
  const [claim] = parsed.error.issues[0]?.path ?? [];
  throw new ServiceError('UNAUTHORIZED', `The token's claim ${String(claim)} is not acceptable`);
}
