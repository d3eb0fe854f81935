/** A source of type `api` (spec section 3): what is asked of an HTTP API, and where its pages and records are. */
import * as z from 'zod';

/** Set by the service, by the URL, or by the connection; another value would be another host or another message. */
const OF_THE_CONNECTION = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const headerName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/, 'expected the name of an HTTP header')
  .refine((name) => !OF_THE_CONNECTION.has(name.toLowerCase()), 'expected another header; the service sets this one');

const queryParameter = z.string().min(1).max(255);
/** Names of keys with dots between; a key that holds dots itself is found too. */
const jsonPath = z.string().min(1).max(1000);
const pageSize = z.int().min(1).max(1_000_000);
const sized = {
  /** How many records a page shall have, and the query parameter that says so. */
  page_size: pageSize.optional(),
  page_size_parameter: queryParameter.default('page_size'),
};
/** Reading ends here although the API may have more. */
const limited = { max_pages: z.int().min(1).max(100_000).optional() };

const pagination = z.discriminatedUnion('type', [
  /** `?page=1`, `?page=2`, … until a page is empty. */
  z.strictObject({
    type: z.literal('page'),
    page_parameter: queryParameter.default('page'),
    first_page: z.int().min(0).max(1_000_000).default(1),
    ...sized,
    ...limited,
  }),
  /** `?offset=0&limit=100`, then as many further as there were records, until a page is empty. */
  z.strictObject({
    type: z.literal('offset'),
    offset_parameter: queryParameter.default('offset'),
    limit_parameter: queryParameter.default('limit'),
    page_size: pageSize,
    ...limited,
  }),
  /** `?cursor=…` as the page before says at `cursor_path`, until it says none. */
  z.strictObject({
    type: z.literal('cursor'),
    cursor_parameter: queryParameter.default('cursor'),
    cursor_path: jsonPath,
    ...sized,
    ...limited,
  }),
  /** The address of the next page, from the header `Link: <…>; rel="next"` (RFC 8288) or at `next_path`. */
  z.strictObject({ type: z.literal('link'), next_path: jsonPath.optional(), ...limited }),
]);

export const apiSource = z.strictObject({
  type: z.literal('api'),
  url: z
    .url({ protocol: /^https?$/ })
    .refine(hasNoUser, 'expected no user or password in the url; put them into a header, as ${secret:NAME}'),
  method: z.enum(['GET', 'POST']).default('GET'),
  headers: z.record(headerName, z.string()).optional(),
  /** What is sent as JSON, with each page's request. */
  body: z.json().optional(),
  pagination: pagination.optional(),
  /** Where in an answer the array of records is; the answer itself by default. */
  records_path: jsonPath.optional(),
  /** Types by column, as DuckDB names them: only these are read, and there may be no records. */
  columns: z
    .record(z.string().min(1).max(255), z.string().min(1).max(1000))
    .refine((all) => Object.keys(all).length > 0, 'expected at least one column')
    .optional(),
});

function hasNoUser(url: string): boolean {
  const { username, password } = URL.parse(url) ?? { username: '', password: '' };
  return username === '' && password === '';
}

export type ApiSource = z.output<typeof apiSource>;
export type ApiPagination = NonNullable<ApiSource['pagination']>;
