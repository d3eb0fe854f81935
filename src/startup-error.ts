/**
 * Something keeps the service from starting that the operator can mend. The message says what and how; the entries
 * print it alone, without a stack, and end with exit code 1.
 */
export class StartupError extends Error {
  override readonly name = 'StartupError';
}
