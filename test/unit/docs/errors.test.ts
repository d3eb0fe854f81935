import { expect, test } from 'vitest';
import { EngineError, type EngineErrorType, type ErrorCode, ServiceError } from '../../../src/errors.ts';
import { readDocument, tableRows } from '../../support/markdown.ts';

/** Complete by their types. */
const CODES: Record<ErrorCode, true> = {
  VALIDATION_FAILED: true,
  UNAUTHORIZED: true,
  TOKEN_EXPIRED: true,
  FORBIDDEN: true,
  TENANT_MISMATCH: true,
  RESOURCE_NOT_FOUND: true,
  CONFLICT: true,
  PAYLOAD_TOO_LARGE: true,
  RATE_LIMITED: true,
  INTERNAL_ERROR: true,
  SERVICE_UNAVAILABLE: true,
};
const TYPES: Record<EngineErrorType, true> = {
  ValidationError: true,
  PermissionDeniedError: true,
  SchemaConflictError: true,
  UnsupportedError: true,
  JobFailedError: true,
  UnavailableError: true,
  CommitConflictError: true,
};

test("the README's table of errors, when codes change, has each with its status", async () => {
  const rows = tableRows(await readDocument('README.md'), 'code').map(([code, status]) => [code, status]);
  const expected = Object.keys(CODES).map((code) => [
    `\`${code}\``,
    String(new ServiceError(code as ErrorCode, '').httpStatus),
  ]);
  expect(rows).toEqual(expected);
});

test("the operators' table of errors, when types change, says of each whether it is tried again", async () => {
  const rows = tableRows(await readDocument('docs/operations.md'), 'type').map(([type, again]) => [type, again]);
  const expected = Object.keys(TYPES).map((type) => [
    `\`${type}\``,
    new EngineError(type as EngineErrorType, '').retryable ? 'yes' : 'no',
  ]);
  expect(rows.sort()).toEqual(expected.sort());
});
