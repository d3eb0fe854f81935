import type * as z from 'zod';
import { ServiceError, type Fault } from '../errors.ts';

/**
 * The value as its schema gives it.
 * @param where put before the faults' paths, such as `query`
 * @throws ServiceError VALIDATION_FAILED with every fault and its path
 */
export function checked<S extends z.ZodType>(schema: S, value: unknown, where = ''): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.flatMap((issue) => faultsOf(issue, where === '' ? [] : [where]));
  throw new ServiceError('VALIDATION_FAILED', 'The request is not valid', faults);
}

function faultsOf(issue: z.core.$ZodIssue, above: readonly PropertyKey[]): Fault[] {
  const path = [...above, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: pathOf([...path, key]), message: 'unknown key' }));
  }
  return [{ path: pathOf(path), message: issue.message }];
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.map(String).join('.');
}
