/** `X-Request-ID`: taken over from the caller or made, sent back, and in every log line of the request (spec section 4). */
import { randomUUID } from 'node:crypto';
import type { RequestHandler, Response } from 'express';

/** Anything else could break a log line or a header, so such an id is replaced rather than refused. */
const ACCEPTED = /^[A-Za-z0-9._:/+=@-]{1,128}$/;

export const requestIdHandler: RequestHandler = (request, response, next) => {
  const sent = request.headers['x-request-id'];
  const requestId = typeof sent === 'string' && ACCEPTED.test(sent) ? sent : randomUUID();
  response.setHeader('X-Request-ID', requestId);
  next();
};

export function requestIdOf(response: Response): string {
  return String(response.getHeader('X-Request-ID'));
}
