/**
 * A route as a value: who may call it, what it takes, everything it answers, and what it does. The app serves these
 * values and OpenAPI is generated from them, so that neither can say something else than the other.
 */
import type * as z from 'zod';
import type { Actor } from '../pipelines/actor.ts';
import type { Role } from './access.ts';
import type { Services } from './app.ts';

export interface Answer {
  status: number;
  /** Sent as JSON; a string where the route answers `text/plain`; nothing for 204. */
  body?: unknown;
}

interface AnswerDescription {
  description: string;
  /** None: no body. */
  schema?: z.ZodType;
  /** `application/json` when left out. */
  contentType?: 'text/plain';
}

export interface RouteRequest<Path extends string, Query, Body> {
  actor: Actor;
  path: Record<ParameterNames<Path>, string>;
  query: Query;
  body: Body;
  /**
   * The id of whatever this request makes. A request that is handled again after a crash, under the same
   * `X-Idempotency-Key`, gets the same one and so finds what it had made.
   */
  reservedId: string;
}

interface RouteBasics {
  method: 'get' | 'post' | 'put' | 'delete';
  /** As in OpenAPI: `/v1/pipelines/{id}`. */
  path: string;
  operationId: string;
  tag: 'Pipelines' | 'Executions' | 'Backfills' | 'Migrations' | 'Maintenance' | 'Workflows' | 'Audit' | 'Operations';
  summary: string;
  description?: string;
  /** Answers that are no errors, by status. */
  answers: Readonly<Record<number, AnswerDescription>>;
  /** Errors of this route's own, beside those that every route of its kind has. */
  errors?: readonly (404 | 409)[];
}

/** What the routes' caller gives a route that nobody needs to be known for: probes. */
export interface PublicRoute extends RouteBasics {
  access: 'public';
  handle: (services: Services) => Promise<Answer>;
}

export interface ProtectedRoute extends RouteBasics {
  access: 'protected';
  /** Needed role; a function where the body decides. */
  role: Role | ((body: unknown) => Role);
  query?: z.ZodType;
  body?: {
    schema: z.ZodType;
    /** Whether an empty body stands for `{}`. */
    optional?: true;
    /** The schema is shown but not applied: the handler validates, since placeholders stand in for typed values. */
    unchecked?: true;
  };
  handle: (request: RouteRequest<string, unknown, unknown>, services: Services) => Promise<Answer>;
}

export type Route = PublicRoute | ProtectedRoute;

type ParameterNames<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParameterNames<Rest>
  : never;

type Output<S> = S extends z.ZodType ? z.output<S> : undefined;

/** Declares a protected route; the handler's request is typed by the path, the query's and the body's schema. */
export function route<
  const Path extends string,
  Query extends z.ZodType | undefined = undefined,
  Body extends z.ZodType | undefined = undefined,
>(
  declared: Omit<ProtectedRoute, 'access' | 'path' | 'role' | 'query' | 'body' | 'handle'> & {
    path: Path;
    role: Role | ((body: Output<Body>) => Role);
    query?: Query;
    body?: { schema: Body; optional?: true; unchecked?: true };
    handle: (request: RouteRequest<Path, Output<Query>, Output<Body>>, services: Services) => Promise<Answer>;
  },
): ProtectedRoute {
  // The app parses by the very schemas that the types come from, so the narrowed request is the one it will pass.
  return { ...declared, access: 'protected' } as unknown as ProtectedRoute;
}

/** Names of the path's parameters, in order. */
export function pathParameters(path: string): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');
}
