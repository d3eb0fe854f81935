/** The requests for the pages of an API, each made from what the page before said. */
import { LosslessNumber } from 'lossless-json';
import { EngineError } from '../../errors.ts';
import type { ApiPagination, ApiSource } from '../../schemas/api-source.ts';
import { valueAt } from './json-answer.ts';
import { nextLink } from './next-link.ts';

interface AnsweredPage {
  /** Where the answer came from in the end, which relative links start from. */
  url: URL;
  answer: unknown;
  records: number;
  /** The header `Link`. */
  link: string | undefined;
}

export interface PageSequence {
  first: URL;
  /**
   * @returns undefined when there is no further page
   * @throws EngineError `ValidationError` when the page names one that cannot be, or one that was read already
   */
  next: (page: AnsweredPage) => URL | undefined;
}

export function pageSequence({ url: written, pagination }: ApiSource): PageSequence {
  const url = new URL(written);
  url.hash = '';
  switch (pagination?.type) {
    case undefined:
      return { first: url, next: () => undefined };
    case 'page':
      return numberedPages(url, pagination);
    case 'offset':
      return offsetPages(url, pagination);
    case 'cursor':
      return cursorPages(url, pagination);
    case 'link':
      return linkedPages(url, pagination);
  }
}

type Of<Type extends ApiPagination['type']> = Extract<ApiPagination, { type: Type }>;

function numberedPages(url: URL, pagination: Of<'page'>): PageSequence {
  let number = pagination.first_page;
  const page = () => withParameters(url, { ...sizeOf(pagination), [pagination.page_parameter]: String(number) });
  return {
    first: page(),
    next: ({ records }) => {
      number += 1;
      return records === 0 ? undefined : page();
    },
  };
}

function offsetPages(url: URL, pagination: Of<'offset'>): PageSequence {
  let offset = 0;
  const page = () =>
    withParameters(url, {
      [pagination.limit_parameter]: String(pagination.page_size),
      [pagination.offset_parameter]: String(offset),
    });
  return {
    first: page(),
    next: ({ records }) => {
      // By what came, not by what was asked for: an API may give less than that without being at its end.
      offset += records;
      return records === 0 ? undefined : page();
    },
  };
}

function cursorPages(url: URL, pagination: Of<'cursor'>): PageSequence {
  const first = withParameters(url, sizeOf(pagination));
  const seen = new Set<string>();
  return {
    first,
    next: ({ answer }) => {
      const cursor = cursorOf(valueAt(answer, pagination.cursor_path), pagination.cursor_path);
      if (cursor === undefined) return undefined;
      if (seen.has(cursor)) throw fault('the API gave the same cursor twice; reading would never end');
      seen.add(cursor);
      return withParameters(first, { [pagination.cursor_parameter]: cursor });
    },
  };
}

function linkedPages(url: URL, pagination: Of<'link'>): PageSequence {
  const seen = new Set([url.href]);
  return {
    first: url,
    next: (page) => {
      const path = pagination.next_path;
      const target = path === undefined ? nextLink(page.link) : cursorOf(valueAt(page.answer, path), path);
      if (target === undefined) return undefined;
      const next = URL.parse(target, page.url.href);
      if (next === null || !/^https?:$/.test(next.protocol)) throw fault('the link to the next page is no web address');
      next.hash = '';
      // They would be sent as a header of the API's choice, in the place of the source's own.
      next.username = '';
      next.password = '';
      if (seen.has(next.href)) throw fault('the API links to the same page twice; reading would never end');
      seen.add(next.href);
      return next;
    },
  };
}

/** Nothing, null, false and an empty text all mean that there is no more. */
function cursorOf(value: unknown, path: string): string | undefined {
  if (value === undefined || value === null || value === false || value === '') return undefined;
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || value instanceof LosslessNumber) return String(value);
  throw fault(`what is at ${path} is neither text nor a number`);
}

function sizeOf({ page_size: size, page_size_parameter: parameter }: Of<'page' | 'cursor'>): Record<string, string> {
  return size === undefined ? {} : { [parameter]: String(size) };
}

function withParameters(url: URL, parameters: Readonly<Record<string, string>>): URL {
  const result = new URL(url);
  for (const [name, value] of Object.entries(parameters)) result.searchParams.set(name, value);
  return result;
}

function fault(message: string): EngineError {
  return new EngineError('ValidationError', `pagination: ${message}`);
}
