/** The name that was probably meant: at most two slips of the keyboard away, and only when that is not most of it. */
function nearestName(written: string, names: Iterable<string>): string | undefined {
  const limit = Math.min(2, Math.floor(written.length / 3));
  let best: { name: string; distance: number } | undefined;
  for (const name of names) {
    const distance = slips(written.toLowerCase(), name.toLowerCase(), limit);
    if (distance <= limit && distance < (best?.distance ?? Infinity)) best = { name, distance };
  }
  return best?.name;
}

/** `expected a, b, c`, and which of them was probably meant; long lists are cut. */
export function expectedNames(written: string, names: readonly string[]): string {
  const near = nearestName(written, names);
  const shown = names.length > 30 ? `${names.slice(0, 30).join(', ')}, … (${names.length} in all)` : names.join(', ');
  return `expected ${names.length === 1 ? '' : 'one of '}${shown}${near === undefined ? '' : `; did you mean ${near}?`}`;
}

/** Edits between two words: insert, delete, replace, swap neighbours. Anything beyond the limit is `limit + 1`. */
function slips(left: string, right: string, limit: number): number {
  if (Math.abs(left.length - right.length) > limit) return limit + 1;
  const rows: number[][] = [Array.from({ length: right.length + 1 }, (_, column) => column)];
  const cell = (row: number, column: number) => rows[row]?.[column] ?? Infinity;
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    rows.push(current);
    for (let column = 1; column <= right.length; column += 1) {
      const same = left[row - 1] === right[column - 1];
      const swapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      current.push(
        Math.min(
          cell(row - 1, column) + 1,
          cell(row, column - 1) + 1,
          cell(row - 1, column - 1) + (same ? 0 : 1),
          swapped ? cell(row - 2, column - 2) + 1 : Infinity,
        ),
      );
    }
  }
  return cell(left.length, right.length);
}
