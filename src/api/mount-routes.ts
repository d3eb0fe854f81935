/** Serves declared routes: who is it, may they, what do they ask, then the handler, once per idempotency key. */
import type { Express, Request, Response } from 'express';
import * as z from 'zod';
import { ServiceError } from '../errors.ts';
import { pathId } from '../schemas/api-requests.ts';
import { parseDocument } from '../schemas/parse-document.ts';
import { requireRole } from './access.ts';
import type { Services } from './app.ts';
import type { Authenticate } from './authentication.ts';
import { checked, orRefuse } from './checked.ts';
import { idempotencyKeyOf, idempotently } from './idempotency.ts';
import { bodyFormat, readBody } from './request-body.ts';
import { requestIdOf } from './request-id.ts';
import { recordOf } from './request-recorder.ts';
import { pathParameters, type Answer, type ProtectedRoute, type Route } from './route.ts';
import { withinTimeLimit } from './time-limit.ts';

type Dependencies = Services & { authenticate: Authenticate };

export function mountRoutes(app: Express, routes: readonly Route[], dependencies: Dependencies): void {
  const methodsByPattern = new Map<string, string[]>();
  for (const declared of routes) {
    const pattern = declared.path.replaceAll(/\{(\w+)\}/g, ':$1');
    methodsByPattern.set(pattern, [...(methodsByPattern.get(pattern) ?? []), declared.method.toUpperCase()]);
    app[declared.method](pattern, async (request, response) => {
      recordOf(response).route = declared.path;
      const work =
        declared.access === 'public' ? declared.handle(dependencies) : serve(declared, request, response, dependencies);
      send(declared, response, await withinTimeLimit(work));
    });
  }
  for (const [pattern, methods] of methodsByPattern) {
    const allowed = [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ');
    app.options(pattern, (_request, response) => {
      response.setHeader('Allow', allowed);
      response.status(204).end();
    });
  }
}

async function serve(
  declared: ProtectedRoute,
  request: Request,
  response: Response,
  dependencies: Dependencies,
): Promise<Answer> {
  const caller = await dependencies.authenticate(request.headers);
  recordOf(response).caller = caller;
  const requestId = requestIdOf(response);
  const { role } = declared;
  if (typeof role === 'string') requireRole(caller, role);
  const path = checked(pathSchema(declared.path), request.params);
  const query = declared.query && checked(declared.query, request.query);
  const text = declared.method === 'get' ? '' : await readBody(request);
  const body = declared.body && bodyOf(declared.body, request, text);
  if (typeof role === 'function') requireRole(caller, role(body));

  const actor = { ...caller, requestId };
  const handle = (reservedId: string) => declared.handle({ actor, path, query, body, reservedId }, dependencies);
  const key = declared.method === 'post' ? idempotencyKeyOf(request.headers['x-idempotency-key']) : undefined;
  if (key === undefined) return handle(crypto.randomUUID());
  const at = { tenant: caller.tenant, method: 'POST', path: request.path, key, text, requestId };
  const { replayed, ...answer } = await idempotently(at, dependencies.store.idempotency, handle);
  if (replayed) response.setHeader('X-Idempotency-Replayed', 'true');
  return answer;
}

function pathSchema(path: string): z.ZodType<Record<string, string>> {
  return z.object(Object.fromEntries(pathParameters(path).map((name) => [name, pathId])));
}

function bodyOf(
  { schema, optional, unchecked }: NonNullable<ProtectedRoute['body']>,
  request: Request,
  text: string,
): unknown {
  if (text.trim() === '' && optional === true) return checked(schema, {});
  const format = bodyFormat(request);
  if (format === undefined) {
    throw new ServiceError('VALIDATION_FAILED', 'Expected Content-Type application/json or application/yaml');
  }
  const { value } = orRefuse(parseDocument(text, format));
  return unchecked === true ? value : checked(schema, value);
}

function send(declared: Route, response: Response, { status, body }: Answer): void {
  response.status(status);
  if (body === undefined) response.end();
  else if (declared.answers[status]?.contentType === 'text/plain') {
    response.type('text/plain; version=0.0.4; charset=utf-8').send(body);
  } else response.json(body);
}
