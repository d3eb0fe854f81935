/**
 * What the HTTP API takes (spec section 4): these schemas validate requests, type what the services behind the routes
 * are asked and are what OpenAPI shows.
 */
import * as z from 'zod';
import { pipelineDocument } from './definition.ts';

// What PostgreSQL's timestamps, JavaScript's dates and ISO 8601 without a sign all have.
const EARLIEST = Date.parse('0001-01-02T00:00:00Z');
const LATEST = Date.parse('9999-12-30T00:00:00Z');

/** ISO 8601 with an offset. */
const instant = z.iso.datetime({ offset: true, error: 'expected ISO 8601 with an offset' }).refine((text) => {
  const at = Date.parse(text);
  return at >= EARLIEST && at <= LATEST;
}, 'expected a time in the years 1 to 9999');
const scalar = z.union([z.string(), z.number(), z.boolean()]);

// Paths and queries

/** An id or a name in a path. */
export const pathId = z
  .string()
  .regex(/^[^\u0000-\u001f\u007f]{1,255}$/, 'expected 1 to 255 characters, none of them a control character');

/** A whole number as it stands in a query. */
export function queryInteger(minimum: number, maximum: number, otherwise: number) {
  return z
    .string()
    .regex(/^\d{1,9}$/, `expected a whole number from ${minimum} to ${maximum}`)
    .transform(Number)
    .refine((n) => n >= minimum && n <= maximum, `expected a whole number from ${minimum} to ${maximum}`)
    .default(otherwise)
    .meta({
      override: ({ jsonSchema }) => {
        delete jsonSchema.pattern;
        Object.assign(jsonSchema, { type: 'integer', minimum, maximum, default: otherwise });
      },
    });
}

const paging = { page: queryInteger(0, 999_999_999, 0), size: queryInteger(1, 100, 20) };
export const pageQuery = z.strictObject(paging);

export const RUN_STATUSES = [
  'RUNNING',
  'COMPLETED',
  'FAILED',
  'CANCELLED',
  'ROLLED_BACK',
  'TERMINATED',
  'TIMED_OUT',
] as const;

const filterText = z.string().regex(/^[^\u0000-\u001f\u007f]{1,255}$/, 'expected 1 to 255 printable characters');
export const executionsQuery = z.strictObject({
  ...paging,
  status: z.enum(RUN_STATUSES).optional(),
  pipeline: filterText.optional().meta({ description: 'Id or name.' }),
  tag: filterText.optional(),
  trigger: filterText.optional(),
  from: instant
    .transform((text) => new Date(text))
    .optional()
    .meta({ description: 'Submitted at or after.' }),
  to: instant
    .transform((text) => new Date(text))
    .optional()
    .meta({ description: 'Submitted before.' }),
});
export const auditQuery = z.strictObject({
  ...paging,
  subject: filterText.optional().meta({ description: 'The id of what was changed.' }),
  actor: filterText.optional(),
  action: filterText.optional().meta({ description: 'Such as pipeline.create.' }),
});

// Bodies

export const pipelineBody = pipelineDocument.meta({ id: 'PipelineDocument' });

/** Values of the pipeline's parameters, by name. */
export const parametersGiven = z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/), scalar).default({});

export const executeBody = z
  .strictObject({
    parameters: parametersGiven,
    interval: z
      .strictObject({ start: instant, end: instant })
      .refine(({ start, end }) => Date.parse(start) < Date.parse(end), {
        error: 'expected an end after the start',
        path: ['end'],
      })
      .optional(),
    engine_override: z.enum(['duckdb', 'spark']).optional(),
    priority: z.enum(['LOW', 'NORMAL', 'HIGH']).optional(),
  })
  .meta({ id: 'ExecuteRequest' });

export const retryBody = z
  .strictObject({
    fromStep: z
      .string()
      .max(255)
      .regex(/^(extract|quality|gate|notify|(extract|transform|load):[A-Za-z_][A-Za-z0-9_-]{0,62})$/, {
        error: 'expected extract, extract:<source>, quality, gate, transform:<name>, load:<sink> or notify',
      })
      .optional(),
  })
  .meta({ id: 'RetryRequest' });

const freeText = z.string().max(2000);
const nothing = z.strictObject({}).prefault({});
export const signalBody = z
  .discriminatedUnion('name', [
    z.strictObject({
      name: z.literal('approval'),
      data: z.strictObject({ approved: z.boolean(), comment: freeText.optional() }),
    }),
    z.strictObject({
      name: z.literal('cancellation'),
      data: z.strictObject({ reason: freeText.optional() }).prefault({}),
    }),
    z.strictObject({ name: z.literal('pause'), data: nothing }),
    z.strictObject({ name: z.literal('resume'), data: nothing }),
  ])
  .meta({ id: 'SignalRequest' });

export type PageQuery = z.output<typeof pageQuery>;
export type ExecutionFilters = Omit<z.output<typeof executionsQuery>, 'page' | 'size'>;
export type ExecuteBody = z.output<typeof executeBody>;
export type RetryBody = z.output<typeof retryBody>;
export type SignalBody = z.output<typeof signalBody>;
