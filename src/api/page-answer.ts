import type { PageQuery } from '../schemas/api-requests.ts';

/** A list as the API answers it (spec section 4, "Lists"). */
export function pageAnswer<T>({ items, total }: { items: T[]; total: number }, { page, size }: PageQuery) {
  const totalPages = Math.ceil(total / size);
  return {
    data: items,
    pagination: { page, size, total, totalPages, hasNext: page + 1 < totalPages, hasPrevious: page > 0 && total > 0 },
  };
}
