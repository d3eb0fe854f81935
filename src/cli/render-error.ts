import { messageOf } from '../errors.ts';
import { ApiError } from './api-client.ts';
import { printable } from './printable.ts';

/** What went wrong, with a line for each fault and its path. */
export function renderError(error: unknown): string {
  const faults = error instanceof ApiError ? error.faults : [];
  const lines = faults.map(({ path, message }) => `  ${path === '' ? '' : `${path}: `}${message}`);
  return printable([messageOf(error), ...lines].join('\n'));
}
