import type { PageOf } from './api-client.ts';

/** Items of a list, page by page, until there are `limit` of them or no more. */
export async function upTo<T>(limit: number, load: (page: number) => Promise<PageOf<T>>): Promise<T[]> {
  const items: T[] = [];
  for (let page = 0; ; page += 1) {
    const { data, pagination } = await load(page);
    items.push(...data);
    if (data.length === 0 || items.length >= Math.min(limit, pagination.total)) return items.slice(0, limit);
  }
}
