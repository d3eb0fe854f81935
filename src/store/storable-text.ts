/**
 * The text as PostgreSQL can keep it: without NUL characters and halves of surrogate pairs. For what must be recorded
 * whatever it contains, such as an engine's message about a binary file.
 */
export function storableText(text: string): string {
  return text.replaceAll('\0', '\u{fffd}').toWellFormed();
}
