/** `"a""b"`: a name as DuckDB takes it, whatever characters it holds. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** `'a''b'`: text as a literal, for the places where DuckDB takes no bound parameter (COPY … TO, SET, views). */
export function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
