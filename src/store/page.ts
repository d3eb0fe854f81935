/** Which part of a list is wanted (spec section 4, lists). */
export interface Page {
  /** From 0. */
  page: number;
  size: number;
}

export interface PageOf<T> {
  items: T[];
  /** How many there are on all pages together. */
  total: number;
}

/** How many rows come before the page. */
export function offsetOf({ page, size }: Page): number {
  return Math.min(page * size, Number.MAX_SAFE_INTEGER);
}
