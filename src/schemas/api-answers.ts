/**
 * What the HTTP API answers (spec section 4), but for runs: errors, pages, the registry, audit, probes. Names are
 * camelCase but inside a pipeline's `definition`.
 */
import * as z from 'zod';

/** ISO 8601 in UTC. */
export const answeredInstant = z.iso.datetime();
export const count = z.int().min(0);

const ERROR_CODES = [
  'VALIDATION_FAILED',
  'UNAUTHORIZED',
  'TOKEN_EXPIRED',
  'FORBIDDEN',
  'TENANT_MISMATCH',
  'RESOURCE_NOT_FOUND',
  'CONFLICT',
  'PAYLOAD_TOO_LARGE',
  'RATE_LIMITED',
  'INTERNAL_ERROR',
  'SERVICE_UNAVAILABLE',
] as const;
const ERROR_CATEGORIES = [
  'VALIDATION',
  'AUTHENTICATION',
  'AUTHORIZATION',
  'RESOURCE',
  'CONFLICT',
  'RATE_LIMIT',
  'SYSTEM',
] as const;

const fault = z
  .object({ path: z.string(), message: z.string() })
  .meta({ id: 'Fault', description: 'Where in the request, and what was expected there.' });

export const errorAnswer = z
  .object({
    success: z.literal(false),
    error: z.object({
      code: z.enum(ERROR_CODES),
      category: z.enum(ERROR_CATEGORIES),
      message: z.string(),
      details: z.array(fault),
    }),
    metadata: z.object({ timestamp: answeredInstant, requestId: z.string() }),
  })
  .meta({ id: 'Error' });

const pagination = z
  .object({
    page: count,
    size: count,
    total: count,
    totalPages: count,
    hasNext: z.boolean(),
    hasPrevious: z.boolean(),
  })
  .meta({ id: 'Pagination' });

/** A list (spec section 4, "Lists"). */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ data: z.array(item), pagination });
}

export const pipelineWritten = z
  .object({
    pipelineId: z.string(),
    name: z.string(),
    version: z.string(),
    revision: z.int().min(1),
    status: z.enum(['CREATED', 'UPDATED']),
    createdAt: answeredInstant.meta({ description: 'When this revision was made.' }),
  })
  .meta({ id: 'PipelineWritten' });

const pipelineSummary = z
  .object({
    pipelineId: z.string(),
    name: z.string(),
    version: z.string(),
    revision: z.int().min(1),
    enabled: z.boolean().meta({ description: 'Whether its schedule starts runs; starting one by hand always works.' }),
    description: z.string().optional(),
    owner: z.string().optional(),
    tags: z.array(z.string()),
    createdAt: answeredInstant,
    updatedAt: answeredInstant,
  })
  .meta({ id: 'PipelineSummary' });
export const pipelineAnswer = pipelineSummary
  .extend({
    parameters: z.record(z.string(), z.unknown()),
    definition: z.record(z.string(), z.unknown()).meta({ description: 'As it was sent, placeholders included.' }),
  })
  .meta({ id: 'Pipeline' });
export const pipelinePage = pageOf(pipelineSummary).meta({ id: 'PipelinePage' });

const revision = z
  .object({
    revision: z.int().min(1),
    version: z.string(),
    createdAt: answeredInstant,
    createdBy: z.string(),
    document: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Revision' });
export const revisionPage = pageOf(revision).meta({ id: 'RevisionPage' });

export const validationAnswer = z
  .object({ valid: z.boolean(), errors: z.array(fault) })
  .meta({ id: 'ValidationAnswer' });

const auditEntry = z
  .object({
    entry: count,
    at: answeredInstant,
    actor: z.string(),
    action: z.string(),
    subject: z.string(),
    details: z.unknown(),
    requestId: z.string(),
  })
  .meta({ id: 'AuditEntry' });
export const auditPage = pageOf(auditEntry).meta({ id: 'AuditPage' });

export const healthAnswer = z.object({ status: z.literal('ok') }).meta({ id: 'Health' });
export const readinessAnswer = z
  .object({
    status: z.enum(['ready', 'not ready']),
    dependencies: z.record(z.string(), z.object({ ok: z.boolean(), error: z.string().optional() })),
  })
  .meta({ id: 'Readiness' });

export type ErrorAnswer = z.output<typeof errorAnswer>;
export type PipelineWritten = z.output<typeof pipelineWritten>;
export type PipelineSummary = z.output<typeof pipelineSummary>;
export type PipelineAnswer = z.output<typeof pipelineAnswer>;
export type Revision = z.output<typeof revision>;
