/** OpenAPI 3.1 of the declared routes, from the very schemas that validate their requests (spec section 4). */
import * as z from 'zod';
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
  type ZodOpenApiResponseObject,
} from 'zod-openapi';
import packageJson from '../../package.json' with { type: 'json' };
import { errorAnswer } from '../schemas/api-answers.ts';
import { pathId } from '../schemas/api-requests.ts';
import { pathParameters, type Route } from './route.ts';
import { ROUTES } from './routes/routes.ts';

const ERRORS = {
  400: 'The request is not valid; `details` names each fault.',
  401: 'No token, or none that counts.',
  403: 'Not allowed: the role, the tenant, or (while the service runs open) the origin.',
  404: 'There is no such thing, or it is not yours.',
  409: 'It conflicts with how things stand.',
  413: 'The body is larger than 1 MiB.',
  500: 'A defect of the service.',
  503: 'Temporal or the database is away; try again.',
} as const;
type ErrorStatus = keyof typeof ERRORS;

const ERROR_RESPONSES = new Map(
  Object.entries(ERRORS).map(([status, description]): [string, ZodOpenApiResponseObject] => [
    status,
    { id: `Error${status}`, description, content: { 'application/json': { schema: errorAnswer } } },
  ]),
);

const DESCRIPTION = `Durable data pipelines on Temporal. \`/pipelines/…\` is the same as \`/v1/pipelines/…\`.

\`X-Request-ID\` is taken over or made, and sent back. \`X-Tenant-ID\`, when sent, must be the caller's tenant.
Answers may gain fields; clients ignore those they do not know.`;

const idempotencyKey = z
  .string()
  .regex(/^[\u0021-\u007e]{1,255}$/)
  .optional()
  .meta({
    description:
      'The same key and body, within 24 h, give the first answer again and start nothing; another body is 409.',
  });

export function createOpenApiDocument() {
  const paths: ZodOpenApiPathsObject = {};
  for (const declared of ROUTES) {
    paths[declared.path] = { ...paths[declared.path], [declared.method]: operationOf(declared) };
  }
  return createDocument(
    {
      openapi: '3.1.0',
      info: { title: packageJson.name, version: packageJson.version, description: DESCRIPTION },
      security: [{ bearer: [] }, {}],
      paths,
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            bearerFormat: 'JWT',
            description: 'With `sub`, `tenant_id`, `roles` and `exp`. Not needed while the service runs open.',
          },
        },
      },
    },
    {
      override: ({ jsonSchema, io }) => {
        // Answers may gain fields in a later version, so that is what they promise.
        if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
      },
    },
  );
}

function operationOf(declared: Route): ZodOpenApiOperationObject {
  const responses: ZodOpenApiOperationObject['responses'] = {};
  for (const [status, { description, schema, contentType = 'application/json' }] of Object.entries(declared.answers)) {
    responses[status as `2${string}`] = {
      description,
      ...(schema !== undefined && { content: { [contentType]: { schema } } }),
    };
  }
  for (const status of errorsOf(declared)) {
    const key = String(status) as `${ErrorStatus}`;
    const response = ERROR_RESPONSES.get(key);
    if (response !== undefined) responses[key] ??= response;
  }
  const { operationId, summary, description, tag } = declared;
  const basics = { operationId, summary, ...(description !== undefined && { description }), tags: [tag], responses };
  return declared.access === 'public' ? { ...basics, security: [] } : { ...basics, ...requestOf(declared) };
}

function errorsOf(declared: Route): ErrorStatus[] {
  if (declared.access === 'public') return [403, 500, 503];
  const withBody: ErrorStatus[] = declared.method === 'get' ? [] : [413];
  // Of an idempotency key that came with another body before.
  const withKey: ErrorStatus[] = declared.method === 'post' ? [409] : [];
  return [400, 401, 403, 500, 503, ...withBody, ...withKey, ...(declared.errors ?? [])];
}

function requestOf({ path, query, body, method, role }: Extract<Route, { access: 'protected' }>) {
  const names = pathParameters(path);
  return {
    ...(typeof role === 'string' && { 'x-required-role': role }),
    requestParams: {
      ...(names.length > 0 && { path: z.object(Object.fromEntries(names.map((name) => [name, pathId]))) }),
      ...(query !== undefined && { query: query as z.ZodType<unknown, Record<string, unknown>> }),
      ...(method === 'post' && { header: z.object({ 'X-Idempotency-Key': idempotencyKey }) }),
    },
    ...(body !== undefined && {
      requestBody: {
        required: body.optional !== true,
        content: { 'application/json': { schema: body.schema }, 'application/yaml': { schema: body.schema } },
      },
    }),
  };
}
