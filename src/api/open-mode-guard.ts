/**
 * While the service runs open, anybody who reaches it is its user. It listens on loopback only; this keeps web pages out
 * that a browser of the same machine shows: a foreign `Host` (DNS rebinding) and a foreign `Origin` (a form or a script
 * of another site) are refused (spec section 4).
 */
import type { RequestHandler } from 'express';
import { ServiceError } from '../errors.ts';

const LOOPBACK = /^(localhost|([a-z0-9-]+\.)+localhost|127(\.\d{1,3}){3}|\[::1\])$/i;

/** `hostname` and `port` of a `Host` header or an origin; undefined when it is none. */
function addressOf(url: string): URL | undefined {
  return URL.parse(url) ?? undefined;
}

function isLoopback(address: URL | undefined): address is URL {
  return address !== undefined && LOOPBACK.test(address.hostname);
}

export const openModeGuard: RequestHandler = (request, _response, next) => {
  const { host, origin } = request.headers;
  // A path or a user in Host would make a URL of another meaning; none of them belongs there (RFC 9110, 7.2).
  const own = host === undefined || /[/@?#\\]/.test(host) ? undefined : addressOf(`http://${host}`);
  if (!isLoopback(own)) {
    throw new ServiceError('FORBIDDEN', 'The service runs open and answers only to a loopback name in Host');
  }
  if (origin !== undefined) {
    const from = addressOf(origin);
    if (!isLoopback(from) || from.port !== own.port || from.protocol !== 'http:') {
      throw new ServiceError('FORBIDDEN', 'The service runs open and refuses requests of other origins');
    }
  }
  next();
};
